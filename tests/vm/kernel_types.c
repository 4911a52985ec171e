// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A variable of every struct that the trimmed header declares, so that this object's BTF holds them whole. */
#include "kernel_types.h"

#define ONE(name) struct name one_##name;
#include "kernel_types.list"
