// What the native entry points share: how tensors, values and errors cross the border to C#.
#pragma once

#include <ATen/ATen.h>
#include <exception>
#include <string>

#define PT_EXPORT extern "C" __attribute__((visibility("default")))

namespace posttrain {

// A tensor crosses as a pointer to its TensorImpl that owns one reference.
using Handle = c10::TensorImpl*;

inline Handle release(at::Tensor tensor) {
  return tensor.defined() ? tensor.unsafeReleaseIntrusivePtr().release() : nullptr;
}

// A tensor that borrows the caller's reference by taking one of its own.
inline at::Tensor borrow(Handle handle) {
  if (!handle) return at::Tensor();
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::unsafe_reclaim_from_nonowning(handle));
}

inline std::vector<at::Tensor> borrow(const Handle* handles, int64_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int64_t i = 0; i < count; i++) tensors.push_back(borrow(handles[i]));
  return tensors;
}

// One argument or result of an operator; the same 16 bytes in C# (Interop/NativeValue.cs).
enum class Tag : int32_t { None, Tensor, Int, Double, Bool, IntList, DoubleList, BoolList, TensorList, OptionalTensorList, String, Device, Generator };

struct Value {
  Tag tag;
  int32_t length;
  union {
    int64_t integer;
    double number;
    void* pointer;
  };
};

void set_error(const char* message);

// Runs body; an exception becomes the thread's error text and the result `failed`.
template <class Body, class Result>
Result guarded(Result failed, Body&& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    set_error(error.what_without_backtrace());
  } catch (const std::exception& error) {
    set_error(error.what());
  } catch (...) {
    set_error("unknown native error");
  }
  return failed;
}

}  // namespace posttrain
