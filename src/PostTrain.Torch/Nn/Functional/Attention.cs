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
                if (Ops.scaled_dot_product_attention.Exists) return Ops.scaled_dot_product_attention.Call(query, key, value, attn_mask, p, is_casual);

                using var scope = NewDisposeScope();
                // The scale goes into the smaller factor, before the product, as in libtorch.
                var scores = (query * (1 / Math.Sqrt(query.shape[^1]))).matmul(key.transpose(-2, -1));
                Tensor? blind = null;
                if (is_casual)
                {
                    scores = scores.masked_fill(CausalMask(scores).logical_not(), double.NegativeInfinity);
                }
                else if (attn_mask is not null)
                {
                    scores = attn_mask.dtype == ScalarType.Bool ? scores.masked_fill(attn_mask.logical_not(), double.NegativeInfinity) : scores + attn_mask;
                    // A row that sees nothing is 0/0 in the softmax, and in its gradient too: it is kept out before and after. (A causal row always sees its first key.)
                    blind = scores.eq(double.NegativeInfinity).all(-1, true);
                    scores = scores.masked_fill(blind, 0.0);
                }
                var weights = softmax(scores, -1);
                if (blind is not null) weights = weights.masked_fill(blind, 0.0);
                if (p > 0) weights = dropout(weights, p);
                return weights.matmul(value).MoveToOuterDisposeScope();
            }

            private static Tensor CausalMask(Tensor scores) => ones(scores.shape[^2..], ScalarType.Bool, scores.device).tril();
        }
    }
}
