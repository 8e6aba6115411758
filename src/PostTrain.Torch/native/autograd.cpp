// Backward passes, gradient modes, and graph nodes whose backward is written in C#.
#include "engine.h"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

using namespace posttrain;
namespace autograd = torch::autograd;

namespace {

// Fills input_grads (owned handles, null for none) from output_grads (borrowed, null where undefined). 0, or an error was thrown in C#.
using BackwardCallback = int32_t (*)(void* state, const Handle* output_grads, int32_t outputs, Handle* input_grads, int32_t inputs);
using FreeCallback = void (*)(void* state);

struct ManagedNode : autograd::Node {
  ManagedNode(void* state, BackwardCallback backward, FreeCallback free) : state(state), backward(backward), free_state(free) {}
  ~ManagedNode() override { free_state(state); }

  autograd::variable_list apply(autograd::variable_list&& grads) override {
    std::vector<Handle> given(grads.size()), returned(num_outputs(), nullptr);
    for (size_t i = 0; i < grads.size(); i++) given[i] = grads[i].unsafeGetTensorImpl();
    for (size_t i = 0; i < grads.size(); i++)
      if (!grads[i].defined()) {
        if (materialize) grads[i] = input_metadata(i).zeros_like();
        given[i] = grads[i].defined() ? grads[i].unsafeGetTensorImpl() : nullptr;
      }
    auto failed = backward(state, given.data(), given.size(), returned.data(), returned.size());
    autograd::variable_list result;
    for (auto handle : returned) result.push_back(at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(handle ? handle : c10::UndefinedTensorImpl::singleton())));
    if (failed) throw std::runtime_error("the backward of a custom autograd function threw an exception");
    return result;
  }

  void release_variables() override { saved.clear(); }

  void* state;
  BackwardCallback backward;
  FreeCallback free_state;
  bool materialize = true;
  std::vector<autograd::SavedVariable> saved;
};

// Owned by C# while a function runs forward, and by the context afterwards.
using NodeHandle = std::shared_ptr<ManagedNode>;

}  // namespace

PT_EXPORT int32_t pt_backward(const Handle* tensors, int32_t count, const Handle* grads, int32_t grad_count, int32_t retain_graph,
                              int32_t create_graph, const Handle* inputs, int32_t input_count) {
  return guarded<>(-1, [&] {
    autograd::backward(borrow(tensors, count), borrow(grads, grad_count), retain_graph != 0, create_graph != 0, borrow(inputs, input_count));
    return 0;
  });
}

PT_EXPORT int32_t pt_autograd_grad(const Handle* outputs, int32_t output_count, const Handle* inputs, int32_t input_count, const Handle* grads,
                                   int32_t grad_count, int32_t retain_graph, int32_t create_graph, int32_t allow_unused, Handle* results) {
  return guarded<>(-1, [&] {
    auto found = autograd::grad(borrow(outputs, output_count), borrow(inputs, input_count), borrow(grads, grad_count), retain_graph != 0,
                                create_graph != 0, allow_unused != 0);
    for (size_t i = 0; i < found.size(); i++) results[i] = release(std::move(found[i]));
    return 0;
  });
}

PT_EXPORT int32_t pt_grad_enabled() { return at::GradMode::is_enabled(); }
PT_EXPORT void pt_set_grad_enabled(int32_t value) { at::GradMode::set_enabled(value != 0); }
PT_EXPORT int32_t pt_inference_enabled() { return c10::InferenceMode::is_enabled(); }
PT_EXPORT c10::InferenceMode* pt_inference_enter(int32_t value) { return new c10::InferenceMode(value != 0); }
PT_EXPORT void pt_inference_leave(c10::InferenceMode* guard) { delete guard; }

// A node for these inputs, or null when none of them needs a gradient; the state then stays with the caller.
PT_EXPORT NodeHandle* pt_node_new(const Handle* inputs, int32_t count, void* state, BackwardCallback backward, FreeCallback free) {
  return guarded<>(static_cast<NodeHandle*>(nullptr), [&]() -> NodeHandle* {
    auto tensors = borrow(inputs, count);
    bool needed = false;
    for (auto& tensor : tensors) needed |= tensor.defined() && tensor.requires_grad();
    if (!needed || !at::GradMode::is_enabled()) return nullptr;
    auto node = NodeHandle(new ManagedNode(state, backward, free), autograd::deleteNode);
    node->set_next_edges(autograd::collect_next_edges(tensors));
    return new NodeHandle(std::move(node));
  });
}

// Makes the outputs children of the node. differentiable[i]: 0 no, 1 yes, 2 an input changed in place.
PT_EXPORT int32_t pt_node_outputs(NodeHandle* node, const Handle* outputs, const int32_t* differentiable, int32_t count) {
  return guarded<>(-1, [&] {
    for (int32_t i = 0; i < count; i++) {
      auto output = borrow(outputs[i]);
      if (!differentiable[i]) {
        (*node)->add_input_metadata(autograd::Node::undefined_input());
      } else if (differentiable[i] == 2) {
        TORCH_CHECK(!(output.is_leaf() && output.requires_grad()), "a leaf tensor that requires grad was changed in place by a custom function");
        auto number = (*node)->add_input_metadata(output);
        autograd::impl::rebase_history(output, {*node, number});
      } else {
        autograd::set_history(output, *node);
      }
    }
    return 0;
  });
}

// outputs[i] != 0: the tensor is one of the node's own outputs, which must not keep the node alive.
PT_EXPORT int32_t pt_node_save(NodeHandle* node, const Handle* tensors, const int32_t* outputs, int32_t count, int32_t materialize) {
  return guarded<>(-1, [&] {
    (*node)->materialize = materialize != 0;
    for (int32_t i = 0; i < count; i++) (*node)->saved.emplace_back(borrow(tensors[i]), outputs[i] != 0);
    return 0;
  });
}

PT_EXPORT int32_t pt_node_saved_count(NodeHandle* node) { return (*node)->saved.size(); }

PT_EXPORT int32_t pt_node_saved(ManagedNode* node, Handle* tensors, int32_t count) {
  return guarded<>(-1, [&] {
    TORCH_CHECK(static_cast<int32_t>(node->saved.size()) == count,
                "Trying to backward through the graph a second time: the saved tensors have been freed; pass retain_graph = true the first time");
    for (int32_t i = 0; i < count; i++) tensors[i] = release(node->saved[i].unpack(node->shared_from_this()));
    return 0;
  });
}

PT_EXPORT ManagedNode* pt_node_pointer(NodeHandle* node) { return node->get(); }
PT_EXPORT void pt_node_free(NodeHandle* node) { delete node; }
