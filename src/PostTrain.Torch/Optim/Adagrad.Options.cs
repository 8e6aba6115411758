#nullable disable

namespace TorchSharp.Modules;

public partial class Adagrad
{
    /// <summary>The settings of one group; null stands for the optimiser's default.</summary>
    public class Options : OptimizerOptions
    {
        public double? lr_decay;
        public double? initial_accumulator_value;
        public double? eps;
        public double? weight_decay;

        public override void LoadStateDict(OptimizerOptions source)
        {
            var other = Same<Options>(source);
            base.LoadStateDict(source);
            (lr_decay, initial_accumulator_value, eps, weight_decay) = (other.lr_decay, other.initial_accumulator_value, other.eps, other.weight_decay);
        }
    }
}
