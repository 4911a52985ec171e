# eghostbuster_add_plugin(NAME SOURCE...)
#
# A plugin NAME.so as the daemon wants it: no "lib" in front, nothing exported but its descriptor, every symbol defined at
# link time. Used by the plugins of eghostbuster itself and, from the installed package, by everybody else's.
# Link what the plugin needs with target_link_libraries(NAME PRIVATE ...) afterwards.
function(eghostbuster_add_plugin name)
	add_library(${name} MODULE ${ARGN})
	set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden)
	target_link_libraries(${name} PRIVATE eghostbuster::plugin)
	target_link_options(${name} PRIVATE -Wl,-z,defs -Wl,-z,now -Wl,-z,relro)
endfunction()
