namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Starting values. Each changes its tensor in place, outside of autograd, and returns it.</summary>
        public static partial class init
        {
            public static Tensor uniform_(Tensor tensor, double low = 0, double high = 1, Generator? generator = null)
            {
                using var _ = no_grad();
                return Ops.uniform_.CallInPlace(tensor, low, high, generator);
            }

            public static Tensor normal_(Tensor tensor, double mean = 0, double std = 1, Generator? generator = null)
            {
                using var _ = no_grad();
                return Ops.normal_.CallInPlace(tensor, mean, std, generator);
            }

            public static Tensor constant_(Tensor tensor, Scalar val)
            {
                using var _ = no_grad();
                return Ops.fill__Scalar.CallInPlace(tensor, val);
            }

            public static Tensor ones_(Tensor tensor) => constant_(tensor, 1.0);

            public static Tensor zeros_(Tensor tensor) => constant_(tensor, 0.0);

            public static Tensor eye_(Tensor tensor)
            {
                var shape = tensor.shape;
                if (shape.Length != 2) throw new ArgumentException($"tensor: given {shape.Length} dimensions, expected 2", nameof(tensor));
                using var _ = no_grad();
                using var identity = eye(shape[0], shape[1], tensor.dtype, tensor.device);
                return tensor.copy_(identity);
            }

            /// <summary>U(-a, a), a = gain √(6 / (fan in + fan out)). Glorot and Bengio 2010.</summary>
            public static Tensor xavier_uniform_(Tensor tensor, double gain = 1)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                double bound = gain * Math.Sqrt(6.0 / (fanIn + fanOut));
                return uniform_(tensor, -bound, bound);
            }

            /// <summary>N(0, σ²), σ = gain √(2 / (fan in + fan out)). Glorot and Bengio 2010.</summary>
            public static Tensor xavier_normal_(Tensor tensor, double gain = 1)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                return normal_(tensor, 0, gain * Math.Sqrt(2.0 / (fanIn + fanOut)));
            }

            public static Tensor glorot_uniform_(Tensor tensor, double gain = 1) => xavier_uniform_(tensor, gain);

            public static Tensor glorot_normal_(Tensor tensor, double gain = 1) => xavier_normal_(tensor, gain);

            /// <summary>U(-b, b), b = gain √(3 / fan). He et al. 2015.</summary>
            /// <param name="a">Slope below zero, where <paramref name="nonlinearity"/> is a leaky ReLU.</param>
            public static Tensor kaiming_uniform_(Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU)
            {
                double bound = Math.Sqrt(3) * KaimingDeviation(tensor, a, mode, nonlinearity);
                return uniform_(tensor, -bound, bound);
            }

            /// <summary>N(0, σ²), σ = gain / √fan. He et al. 2015.</summary>
            /// <param name="a">Slope below zero, where <paramref name="nonlinearity"/> is a leaky ReLU.</param>
            public static Tensor kaiming_normal_(Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU) =>
                normal_(tensor, 0, KaimingDeviation(tensor, a, mode, nonlinearity));

            /// <summary>Rows (or columns, whichever are fewer) of length gain at right angles to each other. Saxe et al. 2013.</summary>
            public static Tensor orthogonal_(Tensor tensor, double gain = 1)
            {
                if (tensor.Dimensions < 2) throw new ArgumentException($"tensor: given {tensor.Dimensions} dimensions, expected 2 or more", nameof(tensor));
                if (tensor.numel() == 0) return tensor;
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                long rows = tensor.shape[0], columns = tensor.numel() / rows;
                var sample = empty(new[] { rows, columns }, tensor.dtype, tensor.device).normal_();
                var (q, r) = linalg.qr(rows < columns ? sample.t() : sample);
                // The signs of R's diagonal make the distribution uniform.
                q *= r.diagonal().sign();
                tensor.copy_((rows < columns ? q.t() : q).reshape(tensor.shape) * gain);
                return tensor;
            }

            /// <summary>What keeps the spread of a layer's values through the function that follows it.</summary>
            /// <param name="param">A leaky ReLU's slope below zero.</param>
            public static double calculate_gain(NonlinearityType nonlinearity, double param = 0) => nonlinearity switch
            {
                NonlinearityType.Tanh => 5.0 / 3,
                NonlinearityType.ReLU => Math.Sqrt(2),
                NonlinearityType.LeakyReLU => Math.Sqrt(2 / (1 + param * param)),
                _ => 1,
            };

            /// <summary>How many values go into and out of one element of a weight [out, in, ...].</summary>
            public static (long fanIn, long fanOut) CalculateFanInAndFanOut(Tensor tensor)
            {
                var shape = tensor.shape;
                if (shape.Length < 2) throw new ArgumentException($"tensor: given {shape.Length} dimensions, expected 2 or more", nameof(tensor));
                long field = shape.AsSpan(2).ToArray().Aggregate(1L, (product, size) => product * size);
                return (shape[1] * field, shape[0] * field);
            }

            private static double KaimingDeviation(Tensor tensor, double a, FanInOut mode, NonlinearityType nonlinearity)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                return calculate_gain(nonlinearity, a) / Math.Sqrt(mode == FanInOut.FanIn ? fanIn : fanOut);
            }
        }
    }
}
