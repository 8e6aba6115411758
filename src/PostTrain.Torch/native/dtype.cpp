// The element type that real numbers get when none is named.
#include "engine.h"

using namespace posttrain;

PT_EXPORT int32_t pt_default_dtype() { return static_cast<int32_t>(c10::get_default_dtype_as_scalartype()); }

PT_EXPORT int32_t pt_set_default_dtype(int32_t type) {
  return guarded<>(-1, [&] {
    c10::set_default_dtype(c10::scalarTypeToTypeMeta(static_cast<c10::ScalarType>(type)));
    return 0;
  });
}
