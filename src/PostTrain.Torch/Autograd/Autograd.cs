using PostTrain.Torch.Interop;

#nullable disable annotations

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>Adds to each leaf's <c>grad</c> the gradient of the tensors' weighted sum.</summary>
        /// <param name="grad_tensors">The weights, one a tensor; null for scalars.</param>
        public static unsafe void backward(IList<Tensor> tensors, IList<Tensor> grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor> inputs = null)
        {
            var roots = Handles(tensors);
            var weights = Handles(grad_tensors);
            var leaves = Handles(inputs);
            int result;
            fixed (nint* root = roots, weight = weights, leaf = leaves)
                result = Native.pt_backward(root, roots.Length, weight, weights.Length, retain_graph ?? create_graph ? 1 : 0, create_graph ? 1 : 0, leaf, leaves.Length);
            GC.KeepAlive(tensors);
            GC.KeepAlive(grad_tensors);
            GC.KeepAlive(inputs);
            ManagedNode.ThrowIfBackwardFailed(result);
        }

        public static void backward(Tensor tensor, IList<Tensor> grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor> inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor> inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        /// <summary>The gradients of the outputs' weighted sum with respect to the inputs; null for an unused input when that is allowed.</summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor> grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            var roots = Handles(outputs);
            var leaves = Handles(inputs);
            var weights = Handles(grad_outputs);
            var found = new nint[leaves.Length];
            int result;
            fixed (nint* root = roots, weight = weights, leaf = leaves, target = found)
                result = Native.pt_autograd_grad(root, roots.Length, leaf, leaves.Length, weight, weights.Length, retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, target);
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            ManagedNode.ThrowIfBackwardFailed(result);
            return Array.ConvertAll(found, handle => handle == 0 ? null : new Tensor(handle));
        }

        private static nint[] Handles(IList<Tensor> tensors) => tensors is null ? [] : [.. tensors.Select(tensor => tensor?.Handle ?? 0)];
    }
}
