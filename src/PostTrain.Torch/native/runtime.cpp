// Random generators, threads, and what this build of libtorch is.
#include "engine.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <cstdlib>
#include <torch/version.h>

using namespace posttrain;

namespace {
at::Generator generator_of(c10::GeneratorImpl* impl) {
  return at::Generator(c10::intrusive_ptr<c10::GeneratorImpl>::unsafe_reclaim_from_nonowning(impl));
}

int32_t copy_text(const std::string& text, char* buffer, int32_t capacity) {
  auto count = std::min<size_t>(text.size(), capacity);
  std::copy_n(text.data(), count, buffer);
  return static_cast<int32_t>(count);
}

// The library that really answers for BLAS, whatever the build of libtorch was linked with.
std::string blas_library() {
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info;
  if (!symbol || !dladdr(symbol, &info) || !info.dli_fname) return "inside libtorch";
  char* path = realpath(info.dli_fname, nullptr);
  std::string text = path ? path : info.dli_fname;
  std::free(path);
  return text;
}
}  // namespace

PT_EXPORT c10::GeneratorImpl* pt_generator_new(uint64_t seed) {
  return guarded<>(static_cast<c10::GeneratorImpl*>(nullptr), [&] { return at::detail::createCPUGenerator(seed).unsafeReleaseGeneratorImpl(); });
}

PT_EXPORT c10::GeneratorImpl* pt_generator_default(int32_t device_type, int32_t device_index) {
  return guarded<>(static_cast<c10::GeneratorImpl*>(nullptr), [&] {
    auto device = c10::Device(static_cast<c10::DeviceType>(device_type), static_cast<c10::DeviceIndex>(device_index));
    return at::Generator(at::globalContext().defaultGenerator(device)).unsafeReleaseGeneratorImpl();
  });
}

PT_EXPORT void pt_generator_free(c10::GeneratorImpl* impl) { c10::intrusive_ptr<c10::GeneratorImpl>::reclaim(impl); }

PT_EXPORT int32_t pt_generator_set_seed(c10::GeneratorImpl* impl, uint64_t seed) {
  return guarded<>(-1, [&] {
    std::lock_guard<std::mutex> lock(impl->mutex_);
    impl->set_current_seed(seed);
    return 0;
  });
}

PT_EXPORT uint64_t pt_generator_seed(c10::GeneratorImpl* impl) {
  std::lock_guard<std::mutex> lock(impl->mutex_);
  return impl->current_seed();
}

PT_EXPORT uint64_t pt_generator_reseed(c10::GeneratorImpl* impl) {
  std::lock_guard<std::mutex> lock(impl->mutex_);
  return impl->seed();
}

PT_EXPORT Handle pt_generator_state(c10::GeneratorImpl* impl) {
  return guarded<>(static_cast<Handle>(nullptr), [&] {
    std::lock_guard<std::mutex> lock(impl->mutex_);
    return release(generator_of(impl).get_state());
  });
}

PT_EXPORT int32_t pt_generator_set_state(c10::GeneratorImpl* impl, Handle state) {
  return guarded<>(-1, [&] {
    std::lock_guard<std::mutex> lock(impl->mutex_);
    generator_of(impl).set_state(borrow(state));
    return 0;
  });
}

PT_EXPORT int32_t pt_manual_seed(uint64_t seed) {
  return guarded<>(-1, [&] {
    at::manual_seed(seed);
    return 0;
  });
}

PT_EXPORT void pt_set_num_threads(int32_t count) { at::set_num_threads(count); }
PT_EXPORT int32_t pt_num_threads() { return at::get_num_threads(); }
PT_EXPORT int32_t pt_num_interop_threads() { return at::get_num_interop_threads(); }

PT_EXPORT int32_t pt_set_num_interop_threads(int32_t count) {
  return guarded<>(-1, [&] {
    at::set_num_interop_threads(count);
    return 0;
  });
}

PT_EXPORT int32_t pt_has_cuda() { return at::hasCUDA(); }

PT_EXPORT int32_t pt_version(char* buffer, int32_t capacity) { return copy_text(TORCH_VERSION, buffer, capacity); }
PT_EXPORT int32_t pt_blas(char* buffer, int32_t capacity) { return copy_text(blas_library(), buffer, capacity); }

PT_EXPORT int32_t pt_config(char* buffer, int32_t capacity) {
  return guarded<>(-1, [&] { return copy_text(at::show_config(), buffer, capacity); });
}
