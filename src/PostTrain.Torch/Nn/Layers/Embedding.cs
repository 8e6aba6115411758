using TorchSharp.Utils;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Rows of a table [N, D] by their numbers: ids [...] gives [..., D].</summary>
    public sealed class Embedding : nn.Module<Tensor, Tensor>
    {
        private readonly long paddingIndex;
        private readonly double? maxNorm;
        private readonly double normType;
        private readonly bool scaleGradient, sparse;
        [ComponentName(Name = nameof(weight))] private Parameter table;

        internal Embedding(Parameter table, long? paddingIndex, double? maxNorm, double normType, bool scaleGradient, bool sparse) : base(nameof(Embedding))
        {
            var shape = table.shape;
            if (shape.Length != 2) throw new ArgumentException($"weight: given {shape.Length} dimensions, expected 2, [rows, width]");
            if (paddingIndex is { } index && (index < -shape[0] || index >= shape[0]))
                throw new ArgumentOutOfRangeException(nameof(paddingIndex), index, $"padding_idx: expected a row of a table with {shape[0]}");
            this.table = table;
            this.paddingIndex = paddingIndex is { } given ? (given < 0 ? given + shape[0] : given) : -1;
            (this.maxNorm, this.normType, this.scaleGradient, this.sparse) = (maxNorm, normType, scaleGradient, sparse);
            RegisterComponents();
        }

        // PyTorch's start: N(0, 1), and zeros in the row for padding.
        internal Embedding Reset()
        {
            nn.init.normal_(table);
            if (paddingIndex < 0) return this;
            using var _ = no_grad();
            using var row = table.select(0, paddingIndex);
            row.zero_();
            return this;
        }

        /// <summary>The table: the same object at each read.</summary>
        public Parameter? weight
        {
            get => table;
            set => ConditionallyRegisterParameter(nameof(weight), table = value ?? throw new ArgumentNullException(nameof(value)));
        }

        public override Tensor forward(Tensor input)
        {
            if (maxNorm is { } limit)
            {
                using var _ = no_grad();
                Ops.embedding_renorm_.CallInPlace(table, input, limit, normType);
            }
            return Ops.embedding.Call(table, input, paddingIndex, scaleGradient, sparse);
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Embedding Embedding(long num_embeddings, long embedding_dims, long? padding_idx = null, double? max_norm = null, double norm_type = 2.0,
                bool scale_grad_by_freq = false, bool sparse = false, Device? device = null, ScalarType? dtype = null) =>
                new Modules.Embedding(NewParameter([num_embeddings, embedding_dims], device, dtype), padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse).Reset();

            /// <summary>An embedding with a copy of a given table.</summary>
            /// <param name="freeze">Whether the table is left out of training.</param>
            public static Modules.Embedding Embedding_from_pretrained(Tensor embeddings, bool freeze = true, long? padding_idx = null, double? max_norm = null, double norm_type = 2.0,
                bool scale_grad_by_freq = false, bool sparse = false, Device? device = null, ScalarType? dtype = null)
            {
                using var _ = no_grad();
                var copy = embeddings.to(dtype ?? embeddings.dtype, device ?? embeddings.device, copy: true);
                var table = (Modules.Parameter)new Modules.Parameter(copy, !freeze).DetachFromDisposeScope();
                return new Modules.Embedding(table, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse);
            }
        }
    }
}
