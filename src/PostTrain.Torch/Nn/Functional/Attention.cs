using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>softmax(Q Kᵀ / √E + mask) V; query [...,L,E], key [...,S,E], value [...,S,V].</summary>
            /// <remarks>A row in which the mask leaves nothing gives zeros. Uses libtorch's own operator where it has one.</remarks>
            /// <param name="attn_mask">[...,L,S]: bool, true where a query may look, or numbers that are added to the scores.</param>
            /// <param name="p">Dropout probability of the weights; applied whenever it is over 0.</param>
            /// <param name="is_casual">Query i sees keys 0..i; not together with a mask.</param>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false)
            {
                if (attn_mask is not null && is_casual) throw new ArgumentException("attn_mask: given together with is_casual, expected one of the two", nameof(attn_mask));
                if (NnOps.scaled_dot_product_attention.Exists) return NnOps.scaled_dot_product_attention.Call(query, key, value, attn_mask, p, is_casual);

                using var scope = NewDisposeScope();
                // The scale goes into the smaller factor, before the product, as in libtorch.
                var scaled = NnOps.mul_Scalar.Call(query, 1 / Math.Sqrt(query.shape[^1]));
                var scores = NnOps.matmul.Call(scaled, NnOps.transpose.Call(key, -2L, -1L));
                var mask = is_casual ? CausalMask(scores) : attn_mask;
                Tensor? blind = null;
                if (mask is not null)
                {
                    scores = mask.dtype == ScalarType.Bool
                        ? NnOps.masked_fill.Call(scores, NnOps.logical_not.Call(mask), double.NegativeInfinity)
                        : NnOps.add.Call(scores, mask);
                    // A causal row always sees its first key. Elsewhere an empty row's softmax is 0/0, in the gradient too: it is kept out before and after.
                    if (!is_casual)
                    {
                        blind = NnOps.all_dim.Call(NnOps.eq.Call(scores, double.NegativeInfinity), -1L, true);
                        scores = NnOps.masked_fill.Call(scores, blind, 0.0);
                    }
                }
                var weights = NnOps.softmax_int.Call(scores, -1L);
                if (blind is not null) weights = NnOps.masked_fill.Call(weights, blind, 0.0);
                if (p > 0) weights = NnOps.dropout.Call(weights, p, true);
                return NnOps.matmul.Call(weights, value).MoveToOuterDisposeScope();
            }

            private static Tensor CausalMask(Tensor scores)
            {
                var shape = scores.shape;
                return NnOps.tril.Call(NnOps.ones.Call(new[] { shape[^2], shape[^1] }, ScalarType.Bool, Argument.None, scores.device));
            }
        }
    }
}
