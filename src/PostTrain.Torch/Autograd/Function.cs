using PostTrain.Torch.Interop;

#nullable disable annotations

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>A differentiable function whose backward is written by hand.</summary>
        public abstract class Function<T> where T : Function<T>, new()
        {
            public abstract string Name { get; }

            internal abstract List<Tensor> Forward(AutogradContext ctx, object[] vars);

            internal abstract List<Tensor> Backward(AutogradContext ctx, List<Tensor> grads);

            public static List<Tensor> apply_internal(params object[] vars)
            {
                var function = new T();
                return ManagedNode.Apply(vars, function.Forward, function.Backward);
            }
        }

        /// <summary>A custom function with one result.</summary>
        public abstract class SingleTensorFunction<T> : Function<T> where T : SingleTensorFunction<T>, new()
        {
            public abstract Tensor forward(AutogradContext ctx, params object[] vars);

            /// <summary>The gradient of each argument of forward, in order; null for one that is no tensor or needs none.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, Tensor grad_output);

            public static Tensor apply(params object[] vars) => apply_internal(vars)[0];

            internal override List<Tensor> Forward(AutogradContext ctx, object[] vars) => [forward(ctx, vars)];

            internal override List<Tensor> Backward(AutogradContext ctx, List<Tensor> grads) => backward(ctx, grads[0]);
        }

        /// <summary>A custom function with several results.</summary>
        public abstract class MultiTensorFunction<T> : Function<T> where T : MultiTensorFunction<T>, new()
        {
            public abstract List<Tensor> forward(AutogradContext ctx, params object[] vars);

            /// <summary>The gradient of each argument of forward, in order; null for one that is no tensor or needs none.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs);

            public static List<Tensor> apply(params object[] vars) => apply_internal(vars);

            internal override List<Tensor> Forward(AutogradContext ctx, object[] vars) => forward(ctx, vars);

            internal override List<Tensor> Backward(AutogradContext ctx, List<Tensor> grads) => backward(ctx, grads);
        }
    }
}
