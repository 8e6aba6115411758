// The one door to every operator: look it up by name once, then call it boxed with an array of tagged values.
#include "engine.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/List.h>

using namespace posttrain;

namespace {

// The name's handle with its schema at hand; lives as long as the process.
struct Operator {
  c10::OperatorHandle handle;
  std::vector<bool> wants_double;
};

template <class T, class U>
c10::List<T> list_of(const U* items, int32_t count) {
  c10::List<T> list;
  list.reserve(count);
  for (int32_t i = 0; i < count; i++) list.push_back(static_cast<T>(items[i]));
  return list;
}

c10::IValue to_ivalue(const Value& value, bool wants_double) {
  switch (value.tag) {
    case Tag::None:
      return c10::IValue();
    case Tag::Tensor:
      return value.pointer ? c10::IValue(borrow(static_cast<Handle>(value.pointer))) : c10::IValue();
    case Tag::Int:
      return wants_double ? c10::IValue(static_cast<double>(value.integer)) : c10::IValue(value.integer);
    case Tag::Double:
      return c10::IValue(value.number);
    case Tag::Bool:
      return c10::IValue(value.integer != 0);
    case Tag::IntList:
      return c10::IValue(list_of<int64_t>(static_cast<const int64_t*>(value.pointer), value.length));
    case Tag::DoubleList:
      return c10::IValue(list_of<double>(static_cast<const double*>(value.pointer), value.length));
    case Tag::BoolList:
      return c10::IValue(list_of<bool>(static_cast<const int64_t*>(value.pointer), value.length));
    case Tag::TensorList: {
      c10::List<at::Tensor> list;
      list.reserve(value.length);
      auto handles = static_cast<const Handle*>(value.pointer);
      for (int32_t i = 0; i < value.length; i++) list.push_back(borrow(handles[i]));
      return c10::IValue(std::move(list));
    }
    case Tag::OptionalTensorList: {
      c10::List<c10::optional<at::Tensor>> list;
      list.reserve(value.length);
      auto handles = static_cast<const Handle*>(value.pointer);
      for (int32_t i = 0; i < value.length; i++)
        list.push_back(handles[i] ? c10::optional<at::Tensor>(borrow(handles[i])) : c10::optional<at::Tensor>());
      return c10::IValue(std::move(list));
    }
    case Tag::String:
      return c10::IValue(std::string(static_cast<const char*>(value.pointer), value.length));
    case Tag::Device:
      return c10::IValue(c10::Device(static_cast<c10::DeviceType>(value.length), static_cast<c10::DeviceIndex>(value.integer)));
    case Tag::Generator:
      return c10::IValue(at::Generator(
          c10::intrusive_ptr<c10::GeneratorImpl>::unsafe_reclaim_from_nonowning(static_cast<c10::GeneratorImpl*>(value.pointer))));
  }
  TORCH_CHECK(false, "unknown kind of operator argument: ", static_cast<int>(value.tag));
}

Value from_ivalue(c10::IValue&& item) {
  Value value{Tag::None, 0, {0}};
  if (item.isTensor()) {
    value.tag = Tag::Tensor;
    value.pointer = release(std::move(item).toTensor());
  } else if (item.isTensorList()) {
    auto list = std::move(item).toTensorVector();
    auto handles = new Handle[list.size()];
    for (size_t i = 0; i < list.size(); i++) handles[i] = release(std::move(list[i]));
    value.tag = Tag::TensorList;
    value.length = static_cast<int32_t>(list.size());
    value.pointer = handles;
  } else if (item.isInt()) {
    value.tag = Tag::Int;
    value.integer = item.toInt();
  } else if (item.isDouble()) {
    value.tag = Tag::Double;
    value.number = item.toDouble();
  } else if (item.isBool()) {
    value.tag = Tag::Bool;
    value.integer = item.toBool();
  } else {
    TORCH_CHECK(item.isNone(), "an operator returned a value of a kind that is not supported: ", item.tagKind());
  }
  return value;
}

}  // namespace

PT_EXPORT Operator* pt_operator(const char* name, const char* overload) {
  return guarded<>(static_cast<Operator*>(nullptr), [&] {
    auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    auto found = new Operator{handle, {}};
    for (auto& argument : handle.schema().arguments())
      found->wants_double.push_back(argument.type()->kind() == c10::TypeKind::FloatType);
    return found;
  });
}

// Calls with the leading arguments given; those left out take the schema's defaults. Returns how many results were written, or -1.
PT_EXPORT int32_t pt_call(const Operator* op, const Value* arguments, int32_t count, Value* results, int32_t capacity) {
  return guarded<>(-1, [&]() -> int32_t {
    auto& schema = op->handle.schema().arguments();
    TORCH_CHECK(count <= static_cast<int32_t>(schema.size()), op->handle.operator_name(), " takes ", schema.size(), " arguments, given ", count);
    c10::Stack stack;
    stack.reserve(schema.size());
    for (int32_t i = 0; i < count; i++) stack.push_back(to_ivalue(arguments[i], op->wants_double[i]));
    for (size_t i = count; i < schema.size(); i++) {
      TORCH_CHECK(schema[i].default_value(), op->handle.operator_name(), " has no default for ", schema[i].name());
      stack.push_back(*schema[i].default_value());
    }
    op->handle.callBoxed(stack);
    TORCH_CHECK(static_cast<int32_t>(stack.size()) <= capacity, op->handle.operator_name(), " returned ", stack.size(), " results");
    for (size_t i = 0; i < stack.size(); i++) results[i] = from_ivalue(std::move(stack[i]));
    return static_cast<int32_t>(stack.size());
  });
}

PT_EXPORT void pt_handles_free(Handle* handles) { delete[] handles; }
