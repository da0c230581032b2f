# Who may link whom: a folder (or a prefix ending in /) on the left may link the folders on the right.
# Everything may link appliance/base. Programs (mains) stand on top and are not listed.

set(SKERRY_LAYERS
  "appliance/http: appliance/base"
  "appliance/audit: appliance/base"
  "appliance/policy: appliance/base"
  "appliance/ca: appliance/base"
  "appliance/store: appliance/base"
  "appliance/supervisor: appliance/base"
  "appliance/seccomp: appliance/base"
  "appliance/settings: appliance/base"
  "appliance/receipts: bundler/trust bundler/format"
  "appliance/admin: appliance/settings appliance/store appliance/audit appliance/policy appliance/supervisor appliance/http appliance/receipts bundler/trust bundler/format"
  "appliance/cli: appliance/settings appliance/receipts appliance/store appliance/audit appliance/policy appliance/ca appliance/supervisor appliance/http bundler/import bundler/inspect bundler/reader bundler/trust bundler/format"
  "bundler/format: appliance/base"
  "bundler/trust: bundler/format"
  "bundler/inspect: bundler/format"
  "bundler/reader: bundler/trust bundler/format"
  "bundler/build: bundler/reader bundler/trust bundler/format bundler/inspect"
  "bundler/import: bundler/reader bundler/trust bundler/format bundler/inspect appliance/seccomp"
  "engine/formats: appliance/base"
  "engine/architectures: engine/formats"
  "engine/unicode: appliance/base"
  "engine/jinja: engine/unicode"
  "engine/tokenizer: engine/formats engine/unicode"
  "engine/grammar: engine/tokenizer engine/unicode"
  "engine/chat: engine/jinja engine/tokenizer engine/formats"
  "engine/device/cpu: engine/device engine/formats"
  "engine/device/cuda: engine/device"
  "engine/device: engine/formats"
  "engine/cache: engine/device engine/formats"
  "engine/model: engine/architectures engine/cache engine/device engine/device/cpu engine/formats"
  "engine/sampler: engine/device engine/formats"
  "engine/scheduler: engine/cache engine/device engine/model engine/formats"
  "engine/runtime: engine/scheduler engine/sampler engine/model engine/cache engine/device engine/tokenizer engine/chat engine/grammar engine/formats"
  "engine/api: engine/runtime engine/sampler engine/chat engine/grammar engine/tokenizer engine/formats appliance/http"
  "proxy/: appliance/http appliance/audit appliance/policy proxy/limits"
  "proxy/sandbox: appliance/seccomp"
  "proxy/upstream: proxy/sandbox"
  "proxy/http: proxy/tls proxy/auth proxy/limits proxy/policy proxy/upstream proxy/logs appliance/http appliance/audit appliance/policy"
)

function(skerry_check_edge from to)
  if(to STREQUAL "appliance/base" OR to STREQUAL "appliance/base/testing")
    return()
  endif()
  foreach(row IN LISTS SKERRY_LAYERS)
    string(REGEX MATCH "^([^:]+): *(.*)$" _ "${row}")
    set(left ${CMAKE_MATCH_1})
    string(REPLACE " " ";" right "${CMAKE_MATCH_2}")
    string(REGEX MATCH "/$" is_prefix ${left})
    string(FIND "${from}" "${left}" at)
    if((is_prefix AND at EQUAL 0) OR from STREQUAL left)
      if(to IN_LIST right)
        return()
      endif()
    endif()
  endforeach()
  message(FATAL_ERROR "'${from}' must not link '${to}': see installer/build/layers.cmake")
endfunction()
