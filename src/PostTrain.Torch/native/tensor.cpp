// What a tensor says of itself, and its memory: the parts that are no operators.
#include "engine.h"

using namespace posttrain;

namespace {
thread_local std::string last_error;

// Looks at a tensor without touching its reference count.
struct View {
  explicit View(Handle handle) : tensor(borrow(handle)) {}
  at::Tensor tensor;
  const at::Tensor* operator->() const { return &tensor; }
};
}  // namespace

void posttrain::set_error(const char* message) { last_error = message; }

PT_EXPORT const char* pt_last_error() { return last_error.c_str(); }

PT_EXPORT void pt_tensor_free(Handle handle) {
  at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(handle));
}

PT_EXPORT Handle pt_tensor_alias(Handle handle) { return release(borrow(handle)); }

PT_EXPORT int64_t pt_dim(Handle handle) { return handle->dim(); }
PT_EXPORT int64_t pt_numel(Handle handle) { return handle->numel(); }
PT_EXPORT int32_t pt_dtype(Handle handle) { return static_cast<int32_t>(c10::typeMetaToScalarType(handle->dtype())); }
PT_EXPORT int64_t pt_itemsize(Handle handle) { return handle->itemsize(); }
PT_EXPORT int64_t pt_storage_offset(Handle handle) { return handle->storage_offset(); }
PT_EXPORT int32_t pt_device_type(Handle handle) { return static_cast<int32_t>(handle->device().type()); }
PT_EXPORT int32_t pt_device_index(Handle handle) { return handle->device().index(); }
PT_EXPORT int32_t pt_is_contiguous(Handle handle) { return handle->is_contiguous(); }

PT_EXPORT void pt_sizes(Handle handle, int64_t* sizes) {
  auto source = handle->sizes();
  std::copy(source.begin(), source.end(), sizes);
}

PT_EXPORT void pt_strides(Handle handle, int64_t* strides) {
  auto source = handle->strides();
  std::copy(source.begin(), source.end(), strides);
}

PT_EXPORT void* pt_data(Handle handle) {
  return guarded<>(static_cast<void*>(nullptr), [&] { return View(handle)->data_ptr(); });
}

PT_EXPORT int32_t pt_requires_grad(Handle handle) { return handle->requires_grad(); }
PT_EXPORT int32_t pt_is_leaf(Handle handle) { return View(handle)->is_leaf(); }

PT_EXPORT int32_t pt_set_requires_grad(Handle handle, int32_t value) {
  return guarded<>(-1, [&] {
    borrow(handle).set_requires_grad(value != 0);
    return 0;
  });
}

PT_EXPORT Handle pt_grad(Handle handle) { return release(View(handle)->grad()); }

PT_EXPORT int32_t pt_set_grad(Handle handle, Handle grad) {
  return guarded<>(-1, [&] {
    borrow(handle).mutable_grad() = borrow(grad);
    return 0;
  });
}

PT_EXPORT int32_t pt_retain_grad(Handle handle) {
  return guarded<>(-1, [&] {
    borrow(handle).retain_grad();
    return 0;
  });
}
