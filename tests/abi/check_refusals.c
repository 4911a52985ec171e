/* SPDX-License-Identifier: Apache-2.0 */
/* Each reason to refuse a plugin, with its exact sentence; and that none of the plugin's code runs for it. */
#include <check.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "plugin_file.h"
#include "scratch.h"

#define PATH "R/plugins/"

static const struct {
	const char *name, *sentence; /* without the path in front */
} cases[] = {
	{"other_major",
	 "built for plugin ABI 2.3, this ghostbuster has 1.3: install the other_major built for ABI 1, or "
	 "upgrade ghostbuster"},
	{"older_major",
	 "built for plugin ABI 0.3, this ghostbuster has 1.3: install the older_major built for ABI 1, or "
	 "rebuild it against this ghostbuster's eghostbuster/plugin.h"},
	{"newer_minor",
	 "built for plugin ABI 1.7, this ghostbuster has 1.3: upgrade ghostbuster, or rebuild newer_minor "
	 "with GB_ABI_MINOR defined as 3"},
	{"wrong_magic",
	 "its gb_plugin begins with 0x12345678, want 0x50424745: make it with GB_PLUGIN() and rebuild the "
	 "plugin"},
	{"unknown_flag",
	 "its descriptor has the flags 0x4, this ghostbuster knows none: upgrade ghostbuster, or rebuild "
	 "the plugin without them"},
	{"too_large",
	 "its descriptor says it has 4096 bytes, its symbol gb_plugin has 144: make it with GB_PLUGIN() and "
	 "rebuild the plugin"},
	{"too_small",
	 "its descriptor says it has 40 bytes, want at least 128 for ABI 1.3: make it with GB_PLUGIN() and "
	 "rebuild the plugin"},
	{"no_name", "its descriptor has no name, want one: set .name in GB_PLUGIN() and rebuild the plugin"},
	{"no_version", "its descriptor has no version, want one: set .version in GB_PLUGIN() and rebuild the plugin"},
	{"no_summary", "its descriptor has no summary, want one: set .summary in GB_PLUGIN() and rebuild the plugin"},
	{"bad_name", "its name is \"Bad-Name\", want a letter, then letters, digits and underscores, in lower case, at "
		     "most 31: rename the plugin and rebuild it"},
	{"other_name", "its name is \"another\", want \"other_name\" as the file is called: rename the file to "
		       "another.so"},
	{"no_role", "its roles are 0x0, want GB_ROLE_DETECTOR, GB_ROLE_REAPER or both: set .roles in GB_PLUGIN() and "
		    "rebuild the plugin"},
	{"unknown_role",
	 "its roles are 0x9, want GB_ROLE_DETECTOR, GB_ROLE_REAPER or both: set .roles in GB_PLUGIN() and "
	 "rebuild the plugin"},
	{"unknown_feature", "it needs the kernel features 0x4, this ghostbuster knows 0x3: upgrade ghostbuster, or "
			    "rebuild the plugin without them"},
	{"no_callbacks", "its descriptor does not set close, scan, want open and close, scan of a detector, reap of a "
			 "reaper: set them in GB_PLUGIN() and rebuild the plugin"},
	{"no_reap", "its descriptor does not set reap, want open and close, scan of a detector, reap of a reaper: set "
		    "them in GB_PLUGIN() and rebuild the plugin"},
	{"outside",
	 "its summary is not in the file itself, want constant data of the plugin: define it there and rebuild "
	 "the plugin"},
	{"long_text",
	 "its summary has more than 4096 bytes, want at most that many: shorten it and rebuild the plugin"},
	{"two_lines",
	 "its summary has control characters or is no UTF-8, want one line of text: correct it and rebuild "
	 "the plugin"},
	{"no_table",
	 "its option table: 3 options in a table that is NULL, want the table: set it and rebuild the plugin"},
	{"many_options", "its option table: 257 options, want at most 256: declare fewer and rebuild the plugin"},
	{"small_option", "its option_size is 8, want sizeof(struct gb_option), at least 72: set it and rebuild the "
			 "plugin"},
	{"endless_choices", "the list of its option \"action\" has no NULL after the first 64, want at most that many: "
			    "end the array with NULL and rebuild the plugin"},
	{"bad_default",
	 "plugin \"bad_default\": option \"action\": its default is \"explode\", want report or destroy: "
	 "correct the option table and rebuild the plugin"},
	{"no_symbol",
	 "exports no symbol gb_plugin, want the descriptor that GB_PLUGIN() makes: add it to the plugin, or "
	 "move the file out of this folder"},
	{"function", "its symbol gb_plugin is a function, want constant data: make it with GB_PLUGIN() and rebuild the "
		     "plugin"},
};

static void assert_refused(const char *name, const char *sentence)
{
	_cleanup_free_ char *folder = strdup(scratch_expand("R/plugins"));
	struct plugin_file *file = NULL;
	char expected[1024];

	ck_assert_int_eq(plugin_file_read(folder, name, getuid(), &file), 0);
	snprintf(expected, sizeof(expected), PATH "%s.so: %s", name, sentence);
	ck_assert_ptr_nonnull(file->refusal);
	ck_assert_str_eq(file->refusal, scratch_expand(expected));
	ck_assert_ptr_null(file->descriptor);
	ck_assert_int_lt(plugin_file_load(file), 0);
	ck_assert_ptr_null(file->callbacks);
	plugin_file_free(file);
	ck_assert_msg(!scratch_take_marker(), "code of %s was run", name);
}

START_TEST(fixture)
{
	char path[128];

	snprintf(path, sizeof(path), PATH "%s.so", cases[_i].name);
	scratch_copy(cases[_i].name, path);
	assert_refused(cases[_i].name, cases[_i].sentence);
}
END_TEST

static void write_file(const char *path, const void *bytes, size_t size)
{
	_cleanup_close_ int fd = open(scratch_expand(path), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
}

static size_t read_good(unsigned char **ret_bytes)
{
	_cleanup_close_ int fd = open(FIXTURES "/good.so", O_RDONLY | O_CLOEXEC);
	struct stat stat;

	ck_assert_int_eq(fstat(fd, &stat), 0);
	*ret_bytes = malloc((size_t)stat.st_size);
	ck_assert_int_eq(read(fd, *ret_bytes, (size_t)stat.st_size), stat.st_size);
	return (size_t)stat.st_size;
}

START_TEST(no_elf)
{
	_cleanup_free_ unsigned char *good = NULL;

	read_good(&good);
	write_file(PATH "empty.so", "", 0);
	assert_refused("empty",
		       "not an ELF file, want a shared object: build it as a plugin, or move it out of this folder");
	write_file(PATH "text.so", "INPUT(foo.so)\n", 14);
	assert_refused("text",
		       "not an ELF file, want a shared object: build it as a plugin, or move it out of this folder");
	write_file(PATH "short.so", good, 20);
	assert_refused("short", "20 bytes, less than an ELF header: the file is cut off, install it again");
	write_file(PATH "header.so", good, 64);
	good[16] = 1; /* e_type */
	write_file(PATH "object.so", good, 4096);
	assert_refused("object", "ELF type 1, want a shared object (type 3): link the plugin with -shared");
	good[18] = 22; /* e_machine */
	write_file(PATH "machine.so", good, 4096);
#if defined(__x86_64__)
	assert_refused("machine",
		       "built for ELF machine 22, this ghostbuster runs on x86-64: install the plugin's build for "
		       "x86-64");
#endif
}
END_TEST

START_TEST(cut_off)
{
	_cleanup_free_ unsigned char *good = NULL;
	struct plugin_file *file = NULL;

	read_good(&good);
	write_file(PATH "cut.so", good, 64);
	assert_refused("cut",
		       "its table of 9 segments is not inside of the file's 64 bytes: the file is damaged, install it "
		       "again");
	write_file(PATH "cut.so", good, 4096);
	ck_assert_int_eq(plugin_file_read(scratch_expand("R/plugins"), "cut", getuid(), &file), 0);
	ck_assert_ptr_nonnull(strstr(file->refusal,
				     "is not inside of the file's 4096 bytes: the file is cut off or damaged, "
				     "install it again"));
	plugin_file_free(file);
}
END_TEST

/* Any bytes at all: refused or accepted, but never read out of bounds (the sanitizer build sees it). */
START_TEST(damaged)
{
	_cleanup_free_ unsigned char *good = NULL;
	_cleanup_free_ char *folder = strdup(scratch_expand("R/plugins"));
	size_t size = read_good(&good);
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		_cleanup_free_ unsigned char *bytes = malloc(size);
		struct plugin_file *file = NULL;
		/* Half of the rounds in the headers, where it hurts. */
		size_t end = round % 2 ? size : 1024;

		memcpy(bytes, good, size);
		for (int i = rand_r(&seed) % 8; i >= 0; i--)
			bytes[(size_t)rand_r(&seed) % end] = (unsigned char)rand_r(&seed);
		write_file(PATH "good.so", bytes, round % 16 ? size : (size_t)rand_r(&seed) % size);
		ck_assert_int_eq(plugin_file_read(folder, "good", getuid(), &file), 0);
		ck_assert(!file->refusal != !file->descriptor);
		plugin_file_free(file);
	}
	ck_assert(!scratch_take_marker());
}
END_TEST

START_TEST(not_trusted)
{
	scratch_copy("good", PATH "good.so");
	ck_assert_int_eq(chmod(scratch_expand(PATH "good.so"), 0666), 0);
	assert_refused("good",
		       "this file is owned by uid UID and has mode 0666, want uid UID and no write permission for "
		       "group and others: check what it holds, then run chmod go-w " PATH "good.so");
	ck_assert_int_eq(symlink("good.so", scratch_expand(PATH "link.so")), 0);
	assert_refused("link", "a symbolic link, want the file itself: put the file there in place of the link");
	assert_refused("missing",
		       "there is no such file, want the plugin \"missing\": install it, or take it out of the "
		       "configuration (ghostbuster --list-plugins shows what is installed)");
	assert_refused("../good", "\"../good.so\" is no file name, want one without a slash");
	if (getuid() == 0) {
		ck_assert_int_eq(chown(scratch_expand(PATH "good.so"), 65534, 0), 0);
		assert_refused("good",
			       "this file is owned by uid 65534 and has mode 0666, want uid 0 and no write permission "
			       "for group and others: check what it holds, then run chown -h root:root " PATH
			       "good.so && chmod go-w " PATH "good.so");
	}
	ck_assert_int_eq(unlink(scratch_expand(PATH "good.so")), 0);
}
END_TEST

START_TEST(folder_not_trusted)
{
	struct plugin_folder folder = {0};
	struct plugin_file *file = NULL;
	char *refusal = NULL;
	const char *sentence =
		"R/plugins: this folder is owned by uid UID and has mode 0777, want uid UID and no write "
		"permission for group and others: check what it holds, then run chmod go-w R/plugins";

	scratch_copy("good", PATH "good.so");
	ck_assert_int_eq(chmod(scratch_expand("R/plugins"), 0777), 0);
	ck_assert_int_lt(plugin_folder_read(scratch_expand("R/plugins"), getuid(), &folder, &refusal), 0);
	ck_assert_str_eq(refusal, scratch_expand(sentence));
	free(refusal);
	ck_assert_int_eq(plugin_file_read(scratch_expand("R/plugins"), "good", getuid(), &file), 0);
	ck_assert_str_eq(file->refusal, scratch_expand(sentence));
	plugin_file_free(file);
	ck_assert_int_lt(plugin_folder_read(scratch_expand("R/nowhere/"), getuid(), &folder, &refusal), 0);
	ck_assert_str_eq(refusal, scratch_expand("R/nowhere: cannot open: No such file or directory"));
	free(refusal);
	ck_assert_int_eq(chmod(scratch_expand("R/plugins"), 0755), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refusals");
	TCase *tcase = tcase_create("refusals");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_loop_test(tcase, fixture, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, no_elf);
	tcase_add_test(tcase, cut_off);
	tcase_add_test(tcase, damaged);
	tcase_add_test(tcase, not_trusted);
	tcase_add_test(tcase, folder_not_trusted);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
