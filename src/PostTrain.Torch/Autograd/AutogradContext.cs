using PostTrain.Torch.Interop;

#nullable disable annotations

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>What a custom function hands from its forward to its backward.</summary>
        public class AutogradContext : IDisposable
        {
            private readonly Dictionary<string, object> data = [];
            private nint node;
            private int savedCount;

            internal AutogradContext() { }

            internal List<Tensor> ToSave { get; private set; } = [];
            internal List<Tensor> Dirty { get; private set; } = [];
            internal List<Tensor> NonDifferentiable { get; private set; } = [];

            public bool MaterializeGrads { get; private set; } = true;

            /// <summary>Keeps tensors (arguments or results) for backward; a change in place between the two passes is noticed.</summary>
            public void save_for_backward(List<Tensor> tensors) => ToSave = tensors;

            /// <summary>The kept tensors, in new wrappers.</summary>
            public unsafe List<Tensor> get_saved_variables()
            {
                var handles = new nint[savedCount];
                fixed (nint* target = handles) Native.Check(Native.pt_node_saved(node, target, savedCount));
                return [.. handles.Select(handle => handle == 0 ? null : new Tensor(handle))];
            }

            public void save_data(string key, object value) => data[key] = value;

            public object get_data(string key) => data[key];

            /// <summary>Says which arguments forward changed in place.</summary>
            public void mark_dirty(List<Tensor> tensors) => Dirty = tensors;

            public void mark_non_differentiable(List<Tensor> tensors) => NonDifferentiable = tensors;

            /// <summary>Whether backward is given zeros (true) or null for an output that was not used.</summary>
            public void set_materialize_grads(bool value) => MaterializeGrads = value;

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing) => data.Clear();

            // The graph's node holds this context; the context only points back at it, for the time of a backward pass.
            internal void Follow(nint node, int savedCount)
            {
                this.node = node;
                this.savedCount = savedCount;
                ToSave = Dirty = NonDifferentiable = null;
            }
        }
    }
}
