using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class utils
        {
            /// <summary>Multiplies all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before that.</summary>
            /// <remarks>The norm is of all gradients as one vector: a NaN or infinity in one of them reaches all.</remarks>
            /// <param name="norm_type">p of the p-norm; positive infinity for the largest magnitude.</param>
            public static double clip_grad_norm_(IEnumerable<Parameter> tensors, double max_norm, double norm_type = 2.0)
            {
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                var gradients = Gradients(tensors);
                if (gradients.Length == 0) return 0;
                var norms = stack(Ops._foreach_norm_Scalar.CallList(gradients, norm_type));
                double total = Ops.linalg_vector_norm.Call(norms, norm_type).ToDouble();
                double factor = max_norm / (total + 1e-6);
                // Not `factor < 1`: a norm that is NaN must not look as if nothing had been wrong.
                if (!(factor >= 1)) Ops._foreach_mul__Scalar.CallOnList(gradients, factor);
                return total;
            }

            /// <summary>Limits every element of every gradient to [-clip_value, clip_value].</summary>
            public static void clip_grad_value_(IEnumerable<Parameter> tensors, double clip_value)
            {
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                foreach (var gradient in Gradients(tensors)) gradient.clamp_(-clip_value, clip_value);
            }

            /// <summary>All parameters' values in one vector, in order.</summary>
            public static Tensor parameters_to_vector(IEnumerable<Parameter> tensors)
            {
                using var scope = NewDisposeScope();
                return cat(tensors.Select(tensor => tensor.reshape(-1)).ToArray()).MoveToOuterDisposeScope();
            }

            /// <summary>Copies the values of a vector into the parameters, in order.</summary>
            public static void vector_to_parameters(Tensor vec, IEnumerable<Parameter> tensors)
            {
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                var targets = tensors.ToArray();
                long wanted = targets.Sum(target => target.numel());
                if (vec.Dimensions != 1 || vec.numel() != wanted) throw new ArgumentException($"vec: given shape [{string.Join(",", vec.shape)}], expected [{wanted}]", nameof(vec));
                long start = 0;
                foreach (var target in targets)
                {
                    long count = target.numel();
                    target.copy_(vec.narrow(0, start, count).reshape(target.shape));
                    start += count;
                }
            }

            private static Tensor[] Gradients(IEnumerable<Parameter> parameters) => [.. parameters.Select(parameter => parameter.grad).Where(gradient => gradient is not null)!];
        }
    }
}
