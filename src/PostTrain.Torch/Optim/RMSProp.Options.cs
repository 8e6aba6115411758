#nullable disable

namespace TorchSharp.Modules;

public partial class RMSProp
{
    /// <summary>The settings of one group; null stands for the optimiser's default.</summary>
    public class Options : OptimizerOptions
    {
        public double? alpha;
        public double? eps;
        public double? weight_decay;
        public double? momentum;
        public bool? centered;
        public bool? maximize;

        public override void LoadStateDict(OptimizerOptions source)
        {
            var other = Same<Options>(source);
            base.LoadStateDict(source);
            (alpha, eps, weight_decay, momentum, centered, maximize) = (other.alpha, other.eps, other.weight_decay, other.momentum, other.centered, other.maximize);
        }
    }
}
