// A device that is this processor, but that libtorch takes for another one: what lies here and what lies there do not meet in an operator, as with a GPU.
// Every operator copies its inputs to the processor, computes there, and copies its results back.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstdlib>
#include <cstring>

namespace {
constexpr auto Type = c10::DeviceType::FPGA;
constexpr auto Key = c10::DispatchKey::FPGA;

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) const override {
    void* data = std::aligned_alloc(64, (bytes + 127) / 64 * 64);
    return {data, data, &release, c10::Device(Type, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  static void release(void* data) { std::free(data); }
} memory;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return Type; }
  c10::Device exchangeDevice(c10::Device) const override { return c10::Device(Type, 0); }
  c10::Device getDevice() const override { return c10::Device(Type, 0); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
};
C10_REGISTER_GUARD_IMPL(FPGA, Guard);

// The same memory as the processor sees it.
at::Tensor here(const at::Tensor& tensor) {
  if (tensor.device().is_cpu()) return tensor;
  return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), [tensor](void*) {}, tensor.options().device(at::kCPU));
}

at::Tensor empty(at::IntArrayRef size, c10::optional<at::ScalarType> type, c10::optional<at::Layout>, c10::optional<at::Device>, c10::optional<bool>,
                 c10::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(Key), c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, c10::optional<at::ScalarType> type, c10::optional<at::Layout>, c10::optional<at::Device>,
                         c10::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(Key), c10::dtype_or_default(type));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  here(to).copy_(here(from));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) to.resize_(from.sizes());
  here(to).copy_(here(from));
  return to;
}

const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size, c10::optional<at::MemoryFormat>) {
  size_t bytes = (c10::multiply_integers(size) + self.storage_offset()) * self.element_size();
  auto* storage = self.storage().unsafeGetStorageImpl();
  if (bytes > storage->nbytes()) {
    auto data = memory.allocate(bytes);
    std::memcpy(data.get(), storage->data(), storage->nbytes());
    storage->set_data_ptr(std::move(data));
    storage->set_nbytes(bytes);
  }
  self.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return self;
}

at::Tensor view(const at::Tensor& self, at::IntArrayRef size) { return at::native::view(self, size); }

at::Tensor as_strided(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride, c10::optional<int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}

at::Tensor reshape_alias(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride) { return at::native::_reshape_alias(self, size, stride); }

TORCH_LIBRARY_IMPL(aten, FPGA, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("resize_", resize);
  library.impl("view", view);
  library.impl("as_strided", as_strided);
  library.impl("_reshape_alias", reshape_alias);
}

// libtorch's own fallback does not bring back what an operator writes into lists: those work on the memory itself.
void elsewhere(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  if (op.schema().name().rfind("aten::_foreach", 0) != 0) return at::native::cpu_fallback(op, stack);
  auto lists = [stack](size_t count, auto change) {
    for (size_t i = stack->size() - count; i < stack->size(); i++) {
      if (!(*stack)[i].isTensorList()) continue;
      auto tensors = (*stack)[i].toTensorVector();
      for (auto& tensor : tensors) tensor = change(tensor);
      (*stack)[i] = c10::IValue(tensors);
    }
  };
  lists(op.schema().arguments().size(), here);
  op.callBoxed(stack);
  lists(op.schema().returns().size(), [](const at::Tensor& tensor) { return tensor.to(c10::Device(Type, 0)); });
}

TORCH_LIBRARY_IMPL(_, FPGA, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&elsewhere>()); }
}  // namespace
