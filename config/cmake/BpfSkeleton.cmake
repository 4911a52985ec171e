# add_bpf_skeleton(TARGET NAME)
#
# bpf/NAME.bpf.c becomes NAME.skel.h for TARGET: compiled with CO-RE relocations, its debug data left out by bpftool's
# linker. The build needs no BTF of the machine it runs on.
function(add_bpf_skeleton target name)
	set(source ${PROJECT_SOURCE_DIR}/bpf/${name}.bpf.c)
	set(stem ${CMAKE_CURRENT_BINARY_DIR}/${name})
	string(REGEX MATCH "^(x86_64|amd64|AMD64)$" x86 "${CMAKE_SYSTEM_PROCESSOR}")
	string(REGEX MATCH "^(aarch64|arm64)$" arm64 "${CMAKE_SYSTEM_PROCESSOR}")
	if(x86)
		set(arch x86)
	elseif(arm64)
		set(arch arm64)
	else()
		set(arch ${CMAKE_SYSTEM_PROCESSOR})
	endif()
	add_custom_command(OUTPUT ${stem}.raw.o
		COMMAND ${CLANG} -target bpf -D__TARGET_ARCH_${arch} -g -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror
			-I${PROJECT_SOURCE_DIR}/bpf -idirafter /usr/include -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MF ${stem}.raw.d -MT ${stem}.raw.o
			-c ${source} -o ${stem}.raw.o
		DEPENDS ${source} DEPFILE ${stem}.raw.d VERBATIM COMMENT "BPF ${name}")
	add_custom_command(OUTPUT ${stem}.skel.h
		COMMAND ${BPFTOOL} gen object ${stem}.bpf.o ${stem}.raw.o
		COMMAND ${BPFTOOL} gen skeleton ${stem}.bpf.o name ${name}_bpf > ${stem}.skel.h
		DEPENDS ${stem}.raw.o VERBATIM COMMENT "BPF skeleton ${name}")
	target_sources(${target} PRIVATE ${stem}.skel.h)
	target_include_directories(${target} SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
