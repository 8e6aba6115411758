using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules;

public partial class Adagrad
{
    /// <summary>The sum of one parameter's squared gradients.</summary>
    public sealed class State : OptimizerState, IDisposable
    {
        /// <summary>Steps taken.</summary>
        public long step;

        public Tensor sum;

        public State(Parameter parameter) : base(parameter) { }

        public override void Initialize(OptimizerOptions options)
        {
            Dispose();
            step = 0;
            sum = Zeros();
            using var _ = no_grad();
            sum.fill_(((Options)options).initial_accumulator_value ?? 0);
        }

        public override void LoadStateDict(OptimizerState source)
        {
            var other = OptimizerOptions.Same<State>(source);
            step = other.step;
            Load(ref sum, other.sum);
        }

        public override void to(Device device) => Move(ref sum, device);

        public override bool ApproximatelyEquals(OptimizerState other) => other is State same && step == same.step && Close(sum, same.sum);

        public void Dispose() => sum?.Dispose();
    }
}
