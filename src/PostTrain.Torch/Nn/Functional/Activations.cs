namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => NnOps.softmax_int.Call(input, dim, dtype);
            public static Tensor log_softmax(Tensor x, long dim) => NnOps.log_softmax_int.Call(x, dim);
            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? NnOps.relu_.CallInPlace(x).alias() : NnOps.relu.Call(x);

            /// <summary>x Φ(x) by the exact normal distribution; the tanh approximation is not part of the common API.</summary>
            public static Tensor gelu(Tensor x) => NnOps.gelu.Call(x);

            public static Tensor gelu(Tensor x, bool inplace) => inplace ? NnOps.gelu_.CallInPlace(x).alias() : NnOps.gelu.Call(x);
            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? NnOps.silu_.CallInPlace(x).alias() : NnOps.silu.Call(x);
            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? NnOps.tanh_.CallInPlace(x).alias() : NnOps.tanh.Call(x);
            public static Tensor sigmoid(Tensor x) => NnOps.sigmoid.Call(x);
            public static Tensor sigmoid(Tensor x, bool inplace) => inplace ? NnOps.sigmoid_.CallInPlace(x).alias() : NnOps.sigmoid.Call(x);

            /// <summary>log(1 + exp(β x)) / β, and x itself where β x is over the threshold.</summary>
            public static Tensor softplus(Tensor x, double beta = 1.0, double threshold = 20.0) => NnOps.softplus.Call(x, beta, threshold);

            public static Tensor logsigmoid(Tensor x) => NnOps.log_sigmoid.Call(x);
        }
    }
}
