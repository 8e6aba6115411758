using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>In training each element is zero with probability p and 1/(1-p) times itself otherwise; in evaluation nothing changes.</summary>
    public sealed class Dropout : ParameterLessModule<Tensor, Tensor>
    {
        internal Dropout(double p, bool inplace) : base(nameof(Dropout)) => (this.p, this.inplace) = (p, inplace);

        public double p { get; set; }
        public bool inplace { get; set; }

        public override Tensor forward(Tensor tensor) => nn.functional.dropout(tensor, p, training, inplace);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            /// <param name="p">Probability of a zero, 0 to 1.</param>
            public static Modules.Dropout Dropout(double p = 0.5, bool inplace = false) =>
                p is >= 0 and <= 1 ? new(p, inplace) : throw new ArgumentOutOfRangeException(nameof(p), p, "expected a probability, 0 to 1");
        }
    }
}
