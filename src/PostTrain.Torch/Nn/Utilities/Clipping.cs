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
                var norms = NnOps.stack.Call(NnOps.foreach_norm.CallList(gradients, norm_type));
                double total = Number(NnOps.vector_norm.Call(norms, norm_type));
                double factor = max_norm / (total + 1e-6);
                // Not `factor < 1`: a norm that is NaN must not look as if nothing had been wrong.
                if (!(factor >= 1)) NnOps.foreach_mul_scalar_.CallOnList(gradients, factor);
                return total;
            }

            /// <summary>Limits every element of every gradient to [-clip_value, clip_value].</summary>
            public static void clip_grad_value_(IEnumerable<Parameter> tensors, double clip_value)
            {
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                foreach (var gradient in Gradients(tensors)) NnOps.clamp_.CallInPlace(gradient, -clip_value, clip_value);
            }

            /// <summary>All parameters' values in one vector, in order.</summary>
            public static Tensor parameters_to_vector(IEnumerable<Parameter> tensors)
            {
                using var scope = NewDisposeScope();
                return NnOps.cat.Call(tensors.Select(tensor => NnOps.reshape.Call(tensor, new[] { -1L })).ToArray()).MoveToOuterDisposeScope();
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
                    NnOps.copy_.CallInPlace(target, NnOps.reshape.Call(NnOps.narrow.Call(vec, 0L, start, count), target.shape));
                    start += count;
                }
            }

            private static Tensor[] Gradients(IEnumerable<Parameter> parameters) => [.. parameters.Select(parameter => parameter.grad).Where(gradient => gradient is not null)!];

            private static double Number(Tensor scalar)
            {
                var value = NnOps.item.CallValue(scalar);
                return value.Tag == PostTrain.Torch.Interop.Tag.Double ? value.Number : value.Integer;
            }
        }
    }
}
