/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_line.h"

void journal_line_time(struct buffer *buffer, uint64_t realtime_ns, bool local, struct journal_stamp *stamp)
{
	time_t second = (time_t)(realtime_ns / GB_SECOND);
	unsigned int ms = (unsigned int)(realtime_ns / GB_MILLISECOND % 1000);
	char fraction[4] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10)};

	if (!stamp->valid || stamp->second != second || stamp->local != local) {
		struct tm tm = {0};

		if (local)
			localtime_r(&second, &tm);
		else
			gmtime_r(&second, &tm);
		strftime(stamp->text, sizeof(stamp->text), local ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
		stamp->valid = true;
		stamp->local = local;
		stamp->second = second;
	}
	buffer_add_text(buffer, stamp->text);
	buffer_add(buffer, fraction, sizeof(fraction));
}

void journal_line_ns(struct buffer *buffer, const struct gb_ns *ns)
{
	buffer_add_text(buffer, ns->kind == GB_NS_NET ? "net:[" : ns->kind == GB_NS_IPC ? "ipc:[" : "ns:[");
	buffer_add_unsigned(buffer, ns->inode);
	buffer_add_char(buffer, ']');
}
