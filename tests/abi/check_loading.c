/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted, what its copy holds, and what happens when it is loaded and unloaded. */
#include <check.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin_file.h"
#include "scratch.h"

static const char *const good_names[] = {"good", "larger", "shorter", "sysv_hash", "packed"};

static struct plugin_file *read_fixture(const char *name)
{
	struct plugin_file *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "R/plugins/%s.so", name);
	scratch_copy(name, path);
	ck_assert_int_eq(plugin_file_read(scratch_expand("R/plugins"), name, getuid(), &file), 0);
	ck_assert_msg(!file->refusal, "%s", file->refusal);
	return file;
}

static void assert_descriptor(const struct descriptor *descriptor, const char *name)
{
	const struct gb_plugin *plugin = &descriptor->plugin;

	ck_assert_str_eq(plugin->name, name);
	ck_assert_str_eq(plugin->version, "1.2.3");
	ck_assert_str_eq(plugin->summary, "a plugin of the tests");
	ck_assert_uint_eq(plugin->roles, GB_ROLE_DETECTOR);
	ck_assert_uint_eq(plugin->capabilities, 1 << 12);
	ck_assert_uint_eq(plugin->kernel_features, GB_KERNEL_BTF);
	ck_assert_uint_eq(descriptor->callbacks, DESCRIPTOR_OPEN | DESCRIPTOR_SCAN | DESCRIPTOR_CLOSE);
	ck_assert(!plugin->open);
	ck_assert_uint_eq(plugin->option_count, 3);
	ck_assert_uint_eq(plugin->option_size, sizeof(struct gb_option));
	ck_assert_str_eq(plugin->options[0].key, "timeout");
	ck_assert_str_eq(plugin->options[0].default_text, "60s");
	ck_assert_int_eq(plugin->options[0].max, 30 * GB_DAY);
	ck_assert_ptr_null(plugin->options[0].choices);
	ck_assert_str_eq(plugin->options[1].choices[1], "destroy");
	ck_assert_ptr_null(plugin->options[1].choices[2]);
	ck_assert_uint_eq(plugin->options[2].member_count, 8);
	ck_assert_str_eq(plugin->options[2].members[7].key, "netns");
	ck_assert_int_eq(plugin->options[2].members[3].max, 4294967294);
}

START_TEST(accepted)
{
	const char *name = good_names[_i];
	struct plugin_file *file;
	struct gb_scan scan = {.struct_size = sizeof(scan), .now_ns = 5};
	void *state = &scan;

	if (access(FIXTURES "/packed.so", F_OK) != 0 && strcmp(name, "packed") == 0) {
		fputs("packed: skipped: this linker has no -z pack-relative-relocs\n", stderr);
		return;
	}
	scratch_take_marker();
	file = read_fixture(name);
	assert_descriptor(file->descriptor, name);
	ck_assert(!scratch_take_marker());
	ck_assert_int_eq(plugin_file_load(file), 0);
	ck_assert_msg(scratch_take_marker(), "the marker of the constructors does not work");
	ck_assert_int_eq(plugin_file_load(file), 0); /* is loaded */
	ck_assert_ptr_eq(file->callbacks->name, file->descriptor->plugin.name);
	ck_assert(!file->callbacks->reap);
	ck_assert_int_eq(file->callbacks->open(NULL, NULL, &state), 0);
	ck_assert_ptr_null(state);
	ck_assert_int_eq(file->callbacks->scan(state, &scan), GB_DONE);
	ck_assert_uint_eq(scan.next_ns, 5 + 60 * GB_SECOND);
	file->callbacks->close(state);
	plugin_file_unload(file);
	ck_assert_ptr_null(file->callbacks);
	plugin_file_unload(file);
	ck_assert_int_eq(plugin_file_load(file), 0); /* and again */
	plugin_file_free(file);
}
END_TEST

/* The file is exchanged between the check and the load: what was checked is what is loaded. */
START_TEST(exchanged)
{
	struct plugin_file *file = read_fixture("good");

	ck_assert_int_eq(unlink(scratch_expand("R/plugins/good.so")), 0);
	scratch_copy("other_major", "R/plugins/good.so");
	ck_assert_int_eq(plugin_file_load(file), 0);
	ck_assert_str_eq(file->callbacks->name, "good");
	plugin_file_free(file);
}
END_TEST

/* One after the other, so that descriptors get the same numbers again, and side by side. */
START_TEST(not_mistaken_for_each_other)
{
	struct plugin_file *first = read_fixture("good"), *second;

	ck_assert_int_eq(plugin_file_load(first), 0);
	plugin_file_free(first);
	first = read_fixture("larger");
	ck_assert_int_eq(plugin_file_load(first), 0);
	second = read_fixture("sysv_hash");
	ck_assert_int_eq(plugin_file_load(second), 0);
	ck_assert_str_eq(first->callbacks->name, "larger");
	ck_assert_str_eq(second->callbacks->name, "sysv_hash");
	ck_assert(first->callbacks->open != second->callbacks->open);
	plugin_file_free(second);
	plugin_file_free(first);
}
END_TEST

static void assert_load_fails(const char *name, int error, const char *sentence)
{
	struct plugin_file *file = read_fixture(name);

	ck_assert_int_eq(plugin_file_load(file), error);
	ck_assert_str_eq(file->refusal, scratch_expand(sentence));
	ck_assert_ptr_null(file->handle);
	ck_assert_ptr_null(file->callbacks);
	plugin_file_free(file);
}

START_TEST(load_fails)
{
	assert_load_fails(
		"unresolved", -ELIBBAD,
		"R/plugins/unresolved.so: cannot be loaded: undefined symbol: nobody_has_this: install what it "
		"needs, or rebuild the plugin");
	assert_load_fails(
		"rewritten", -EINVAL,
		"R/plugins/rewritten.so: cannot be loaded: its descriptor is not the one in its file: make gb_plugin "
		"constant data with GB_PLUGIN() and rebuild the plugin");
}
END_TEST

START_TEST(whole_folder)
{
	struct plugin_folder folder;
	char *refusal = NULL;

	ck_assert_int_eq(system(scratch_expand("rm -f R/plugins/*")), 0);
	scratch_copy("good", "R/plugins/good.so");
	scratch_copy("example", "R/plugins/example.so");
	scratch_copy("too_small", "R/plugins/too_small.so");
	scratch_copy("good", "R/plugins/good.so.1");
	scratch_copy("good", "R/plugins/.good.so");
	ck_assert_int_eq(plugin_folder_read(scratch_expand("R/plugins//"), getuid(), &folder, &refusal), 0);
	ck_assert_str_eq(folder.path, scratch_expand("R/plugins"));
	ck_assert_uint_eq(folder.count, 3);
	ck_assert_str_eq(folder.files[0]->name, "example");
	ck_assert_str_eq(folder.files[1]->name, "good");
	ck_assert_str_eq(folder.files[2]->name, "too_small");
	ck_assert_ptr_nonnull(folder.files[2]->refusal);
	ck_assert_ptr_eq(plugin_folder_find(&folder, "good"), folder.files[1]);
	ck_assert_ptr_null(plugin_folder_find(&folder, "missing"));
	ck_assert_int_eq(plugin_file_load(folder.files[0]), 0);
	plugin_folder_fini(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loading");
	TCase *tcase = tcase_create("loading");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_loop_test(tcase, accepted, 0, sizeof(good_names) / sizeof(good_names[0]));
	tcase_add_test(tcase, exchanged);
	tcase_add_test(tcase, not_mistaken_for_each_other);
	tcase_add_test(tcase, load_fails);
	tcase_add_test(tcase, whole_folder);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
