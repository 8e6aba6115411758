using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Long short-term memory: input [T,B,I] (or [B,T,I]) gives output [T,B,H·directions] and the last h and c, each [layers·directions,B,H].</summary>
    /// <remarks>i, f, o = σ(W x + b + U h + b'), g = tanh(...), c' = f c + i g, h' = o tanh(c'); the rows of W and U are i, f, g, o.</remarks>
    public sealed class LSTM : nn.Module<Tensor, (Tensor, Tensor)?, (Tensor, Tensor, Tensor)>
    {
        private readonly long hiddenSize, layers, directions;
        private readonly bool hasBias, batchFirst;
        private readonly double dropout;

        internal LSTM(long inputSize, long hiddenSize, long numLayers, bool bias, bool batchFirst, double dropout, bool bidirectional, Device? device, ScalarType? dtype) : base(nameof(LSTM))
        {
            (this.hiddenSize, layers, directions, hasBias) = (hiddenSize, numLayers, bidirectional ? 2 : 1, bias);
            (this.batchFirst, this.dropout) = (batchFirst, dropout);
            double bound = 1 / Math.Sqrt(hiddenSize);
            for (long layer = 0; layer < numLayers; layer++)
                for (long direction = 0; direction < directions; direction++)
                {
                    var suffix = $"l{layer}{(direction == 1 ? "_reverse" : "")}";
                    long width = layer == 0 ? inputSize : hiddenSize * directions;
                    Register($"weight_ih_{suffix}", [4 * hiddenSize, width]);
                    Register($"weight_hh_{suffix}", [4 * hiddenSize, hiddenSize]);
                    if (!bias) continue;
                    Register($"bias_ih_{suffix}", [4 * hiddenSize]);
                    Register($"bias_hh_{suffix}", [4 * hiddenSize]);
                }

            void Register(string parameter, long[] size)
            {
                var created = NewParameter(size, device, dtype);
                nn.init.uniform_(created, -bound, bound);
                register_parameter(parameter, created);
            }
        }

        /// <summary>Runs the whole sequence. Without (h0, c0) it starts from zeros.</summary>
        public override (Tensor, Tensor, Tensor) forward(Tensor input, (Tensor, Tensor)? h0_c0 = null)
        {
            var shape = input.shape;
            if (shape.Length != 3)
                throw new ArgumentException($"input: given {shape.Length} dimensions, expected 3, {(batchFirst ? "[batch, time, features]" : "[time, batch, features]")}", nameof(input));
            Tensor[] weights = [.. _internal_params.values()];
            if (h0_c0 is { } given) return Run(input, given.Item1, given.Item2, weights);
            long batch = shape[batchFirst ? 0 : 1];
            using var start = torch.zeros(new[] { layers * directions, batch, hiddenSize }, input.dtype, input.device);
            return Run(input, start, start, weights);
        }

        public new (Tensor, Tensor, Tensor) call(Tensor input, (Tensor, Tensor)? h0_c0 = null) => base.call(input, h0_c0);

        /// <summary>Does nothing: parameters stay as they are, one tensor each.</summary>
        public void flatten_parameters() { }

        private (Tensor, Tensor, Tensor) Run(Tensor input, Tensor hidden, Tensor cell, Tensor[] weights) =>
            Ops.lstm_input.Call3(input, new[] { hidden, cell }, weights, hasBias, layers, dropout, training, directions == 2, batchFirst);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.LSTM LSTM(long inputSize, long hiddenSize, long numLayers = 1, bool bias = true, bool batchFirst = false, double dropout = 0.0,
                bool bidirectional = false, Device? device = null, ScalarType? dtype = null) =>
                new(inputSize, hiddenSize, numLayers, bias, batchFirst, dropout, bidirectional, device, dtype);
        }
    }
}
