/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor_reader.h"
#include "elf_image.h"
#include "option.h"
#include "problems.h"
#include "refusal.h"

#define HEAD_SIZE 16                                                               /* frozen for ever */
#define OPTION_SIZE_MIN (offsetof(struct gb_option, item_size) + sizeof(uint32_t)) /* as of ABI 1.0 */
#define ROLES_KNOWN (GB_ROLE_DETECTOR | GB_ROLE_REAPER)
#define FEATURES_KNOWN (GB_KERNEL_BTF | GB_KERNEL_BPF_ITER)

/* The least struct_size by minor: up to the last slot that the minor has. */
static const uint32_t sizes_min[GB_ABI_MINOR_NEWEST + 1] = {
	[0] = offsetof(struct gb_plugin, close) + sizeof(void (*)(void *)),
	[1] = offsetof(struct gb_plugin, close) + sizeof(void (*)(void *)),
	[2] = offsetof(struct gb_plugin, close) + sizeof(void (*)(void *)),
	[3] = offsetof(struct gb_plugin, close) + sizeof(void (*)(void *)),
};

struct reading {
	struct descriptor_reader reader; /* first: path, image, ret_refusal */
	const char *name;                /* what the file is called */
	struct elf_symbol symbol;
	struct descriptor *descriptor;
};

static int find_symbol(struct reading *reading)
{
	const char *path = reading->reader.path;

	if (elf_image_symbol(reading->reader.image, "gb_plugin", &reading->symbol) < 0)
		return refuse(
			reading->reader.ret_refusal, -ENOENT,
			"%s: exports no symbol gb_plugin, want the descriptor that GB_PLUGIN() makes: add it to the "
			"plugin, or move the file out of this folder",
			path);
	if (reading->symbol.type != STT_OBJECT)
		return refuse(
			reading->reader.ret_refusal, -EINVAL,
			"%s: its symbol gb_plugin is %s, want constant data: make it with GB_PLUGIN() and rebuild the "
			"plugin",
			path, reading->symbol.type == STT_FUNC ? "a function" : "no data");
	if (reading->symbol.size < HEAD_SIZE)
		return refuse(reading->reader.ret_refusal, -EINVAL,
			      "%s: its symbol gb_plugin has %llu bytes, want at least %d: make it with GB_PLUGIN() and "
			      "rebuild the plugin",
			      path, (unsigned long long)reading->symbol.size, HEAD_SIZE);
	return 0;
}

static int refuse_version(const struct reading *reading, const struct gb_plugin *head)
{
	char advice[160];

	if (head->abi_major > GB_ABI_MAJOR)
		snprintf(advice, sizeof(advice), "install the %s built for ABI %u, or upgrade ghostbuster",
			 reading->name, GB_ABI_MAJOR);
	else if (head->abi_major < GB_ABI_MAJOR)
		snprintf(advice, sizeof(advice),
			 "install the %s built for ABI %u, or rebuild it against this ghostbuster's "
			 "eghostbuster/plugin.h",
			 reading->name, GB_ABI_MAJOR);
	else
		snprintf(advice, sizeof(advice), "upgrade ghostbuster, or rebuild %s with GB_ABI_MINOR defined as %u",
			 reading->name, GB_ABI_MINOR_NEWEST);
	return refuse(reading->reader.ret_refusal, -EPROTONOSUPPORT,
		      "%s: built for plugin ABI %u.%u, this ghostbuster has %u.%u: %s", reading->reader.path,
		      head->abi_major, head->abi_minor, GB_ABI_MAJOR, GB_ABI_MINOR_NEWEST, advice);
}

static int check_head(const struct reading *reading, const struct gb_plugin *head)
{
	const char *path = reading->reader.path;
	char **ret_refusal = reading->reader.ret_refusal;
	uint32_t size_min;

	if (head->magic != GB_ABI_MAGIC)
		return refuse(
			ret_refusal, -EINVAL,
			"%s: its gb_plugin begins with 0x%08x, want 0x%08x: make it with GB_PLUGIN() and rebuild the "
			"plugin",
			path, head->magic, GB_ABI_MAGIC);
	if (head->abi_major != GB_ABI_MAJOR || head->abi_minor > GB_ABI_MINOR_NEWEST)
		return refuse_version(reading, head);
	if (head->flags)
		return refuse(
			ret_refusal, -EINVAL,
			"%s: its descriptor has the flags 0x%x, this ghostbuster knows none: upgrade ghostbuster, or "
			"rebuild the plugin without them",
			path, head->flags);
	if (head->struct_size > reading->symbol.size)
		return refuse(ret_refusal, -EINVAL,
			      "%s: its descriptor says it has %u bytes, its symbol gb_plugin has %llu: make it with "
			      "GB_PLUGIN() and rebuild the plugin",
			      path, head->struct_size, (unsigned long long)reading->symbol.size);
	size_min = sizes_min[head->abi_minor];
	if (head->struct_size < size_min)
		return refuse(ret_refusal, -EINVAL,
			      "%s: its descriptor says it has %u bytes, want at least %u for ABI %u.%u: make it with "
			      "GB_PLUGIN() and rebuild the plugin",
			      path, head->struct_size, size_min, head->abi_major, head->abi_minor);
	return 0;
}

/* Replaces each callback by NULL and a bit that says whether it is set. */
static int take_callbacks(struct reading *reading, uint32_t size)
{
	struct gb_plugin *plugin = &reading->descriptor->plugin;
	static const struct {
		uint32_t offset, bit;
	} slots[] = {
		{offsetof(struct gb_plugin, open), DESCRIPTOR_OPEN},
		{offsetof(struct gb_plugin, scan), DESCRIPTOR_SCAN},
		{offsetof(struct gb_plugin, reap), DESCRIPTOR_REAP},
		{offsetof(struct gb_plugin, dispatch), DESCRIPTOR_DISPATCH},
		{offsetof(struct gb_plugin, reconfigure), DESCRIPTOR_RECONFIGURE},
		{offsetof(struct gb_plugin, close), DESCRIPTOR_CLOSE},
		{offsetof(struct gb_plugin, explain), DESCRIPTOR_EXPLAIN},
		{offsetof(struct gb_plugin, ended), DESCRIPTOR_ENDED},
	};

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		uint64_t pointer = 0;

		memset((char *)plugin + slots[i].offset, 0, sizeof(void (*)(void)));
		if (slots[i].offset + sizeof(pointer) > size)
			continue;
		if (elf_image_pointer(reading->reader.image, reading->symbol.address + slots[i].offset, &pointer) < 0)
			return refuse(
				reading->reader.ret_refusal, -ENOTSUP,
				"%s: its descriptor has a callback with an unknown relocation, want a plain function "
				"of the plugin: rebuild the plugin",
				reading->reader.path);
		if (pointer)
			reading->descriptor->callbacks |= slots[i].bit;
	}
	return 0;
}

/* The struct itself, then what it points to. After this nothing points into the file. */
static int copy_plugin(struct reading *reading, uint32_t struct_size)
{
	struct gb_plugin *plugin = &reading->descriptor->plugin;
	struct descriptor_reader *reader = &reading->reader;
	uint64_t address = reading->symbol.address;
	uint32_t size = struct_size < sizeof(*plugin) ? struct_size : (uint32_t)sizeof(*plugin);
	uint32_t option_count;
	int error = elf_image_read(reader->image, address, plugin, size);

	option_count = plugin->option_count;
	plugin->name = plugin->version = plugin->summary = NULL;
	plugin->options = NULL;
	plugin->option_count = 0;
	if (error < 0)
		return refuse(reader->ret_refusal, error,
			      "%s: its gb_plugin is not inside of the file: the file is damaged, install it again",
			      reader->path);
	error = take_callbacks(reading, size);
	if (error == 0)
		error = descriptor_read_text(reader, address + offsetof(struct gb_plugin, name), "its name",
					     &plugin->name);
	if (error == 0)
		error = descriptor_read_text(reader, address + offsetof(struct gb_plugin, version), "its version",
					     &plugin->version);
	if (error == 0)
		error = descriptor_read_text(reader, address + offsetof(struct gb_plugin, summary), "its summary",
					     &plugin->summary);
	if (error < 0 || option_count == 0)
		return error;
	if (plugin->option_size < OPTION_SIZE_MIN || plugin->option_size > OPTION_STRIDE_MAX)
		return refuse(
			reader->ret_refusal, -EINVAL,
			"%s: its option_size is %u, want sizeof(struct gb_option), at least %zu: set it and rebuild "
			"the plugin",
			reader->path, plugin->option_size, OPTION_SIZE_MIN);
	reader->stride = plugin->option_size;
	error = descriptor_read_options(reader, address + offsetof(struct gb_plugin, options), option_count,
					&plugin->options);
	if (error < 0)
		return error;
	plugin->option_count = option_count;
	plugin->option_size = sizeof(struct gb_option);
	return 0;
}

static bool is_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= DESCRIPTOR_NAME_MAX && *name >= 'a' && *name <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static int check_name(const struct reading *reading, const struct gb_plugin *plugin)
{
	const struct {
		const char *text, *field;
	} required[] = {{plugin->name, "name"}, {plugin->version, "version"}, {plugin->summary, "summary"}};
	const char *path = reading->reader.path;

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (!required[i].text || !*required[i].text)
			return refuse(
				reading->reader.ret_refusal, -EINVAL,
				"%s: its descriptor has no %s, want one: set .%s in GB_PLUGIN() and rebuild the plugin",
				path, required[i].field, required[i].field);
	if (!is_name_valid(plugin->name))
		return refuse(
			reading->reader.ret_refusal, -EINVAL,
			"%s: its name is \"%s\", want a letter, then letters, digits and underscores, in lower case, at "
			"most %d: rename the plugin and rebuild it",
			path, plugin->name, DESCRIPTOR_NAME_MAX);
	if (strcmp(plugin->name, reading->name) != 0)
		return refuse(reading->reader.ret_refusal, -EINVAL,
			      "%s: its name is \"%s\", want \"%s\" as the file is called: rename the file to %s.so",
			      path, plugin->name, reading->name, plugin->name);
	return 0;
}

static int check_roles(const struct reading *reading, const struct gb_plugin *plugin)
{
	if (!plugin->roles || plugin->roles & ~(uint32_t)ROLES_KNOWN)
		return refuse(reading->reader.ret_refusal, -EINVAL,
			      "%s: its roles are 0x%x, want GB_ROLE_DETECTOR, GB_ROLE_REAPER or both: set .roles in "
			      "GB_PLUGIN() and rebuild the plugin",
			      reading->reader.path, plugin->roles);
	if (plugin->kernel_features & ~(uint32_t)FEATURES_KNOWN)
		return refuse(
			reading->reader.ret_refusal, -EINVAL,
			"%s: it needs the kernel features 0x%x, this ghostbuster knows 0x%x: upgrade ghostbuster, or "
			"rebuild the plugin without them",
			reading->reader.path, plugin->kernel_features, FEATURES_KNOWN);
	return 0;
}

/* All that are missing in one sentence. */
static int check_callbacks(const struct reading *reading, const struct gb_plugin *plugin)
{
	const struct {
		const char *name;
		bool required;
		uint32_t bit;
	} rules[] = {
		{"open", true, DESCRIPTOR_OPEN},
		{"close", true, DESCRIPTOR_CLOSE},
		{"scan", plugin->roles & GB_ROLE_DETECTOR, DESCRIPTOR_SCAN},
		{"reap", plugin->roles & GB_ROLE_REAPER, DESCRIPTOR_REAP},
	};
	char missing[64] = "";

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		size_t used = strlen(missing);

		if (rules[i].required && !(reading->descriptor->callbacks & rules[i].bit))
			snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? ", " : "", rules[i].name);
	}
	if (!*missing)
		return 0;
	return refuse(
		reading->reader.ret_refusal, -EINVAL,
		"%s: its descriptor does not set %s, want open and close, scan of a detector, reap of a reaper: set "
		"them in GB_PLUGIN() and rebuild the plugin",
		reading->reader.path, missing);
}

static int check_options(const struct reading *reading, const struct gb_plugin *plugin)
{
	char subject[DESCRIPTOR_NAME_MAX + 16];
	const struct option_table table = {
		.options = plugin->options,
		.count = plugin->option_count,
		.stride = sizeof(*plugin->options),
		.data_size = plugin->config_size,
		.subject = subject,
	};
	struct problems problems = {0};
	int error;

	snprintf(subject, sizeof(subject), "plugin \"%s\"", plugin->name);
	error = option_table_check(&table, reading->reader.path, &problems);
	if (error < 0)
		refuse(reading->reader.ret_refusal, error, "%s: correct the option table and rebuild the plugin",
		       problems.count ? problems.items[0] : reading->reader.path);
	problems_fini(&problems);
	return error;
}

static int read_descriptor(struct reading *reading)
{
	const struct gb_plugin *plugin = &reading->descriptor->plugin;
	struct gb_plugin head = {0};
	int error = find_symbol(reading);

	if (error < 0)
		return error;
	if (elf_image_read(reading->reader.image, reading->symbol.address, &head, HEAD_SIZE) < 0)
		return refuse(reading->reader.ret_refusal, -EFAULT,
			      "%s: its gb_plugin is not inside of the file: the file is damaged, install it again",
			      reading->reader.path);
	error = check_head(reading, &head);
	if (error == 0)
		error = copy_plugin(reading, head.struct_size);
	if (error == 0)
		error = check_name(reading, plugin);
	if (error == 0)
		error = check_roles(reading, plugin);
	if (error == 0)
		error = check_callbacks(reading, plugin);
	if (error == 0)
		error = check_options(reading, plugin);
	return error;
}

int descriptor_read(int fd, const char *path, const char *name, struct descriptor **ret_descriptor, char **ret_refusal)
{
	struct reading reading = {.reader = {.path = path, .ret_refusal = ret_refusal}, .name = name};
	struct elf_image *image;
	int error = elf_image_open(fd, path, &image, ret_refusal);

	if (error < 0)
		return error;
	reading.reader.image = image;
	reading.descriptor = calloc(1, sizeof(*reading.descriptor));
	if (reading.descriptor)
		error = read_descriptor(&reading);
	else
		error = refuse(ret_refusal, -ENOMEM, "%s: cannot read: %s", path, strerror(ENOMEM));
	elf_image_free(image);
	if (error < 0) {
		descriptor_free(reading.descriptor);
		return error;
	}
	*ret_descriptor = reading.descriptor;
	return 0;
}

void descriptor_free(struct descriptor *descriptor)
{
	if (!descriptor)
		return;
	free((char *)descriptor->plugin.name);
	free((char *)descriptor->plugin.version);
	free((char *)descriptor->plugin.summary);
	descriptor_free_options(descriptor->plugin.options, descriptor->plugin.option_count);
	free(descriptor);
}
