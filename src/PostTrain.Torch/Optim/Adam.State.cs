using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules;

public partial class Adam
{
    /// <summary>The moving averages of one parameter's gradient and of its square.</summary>
    public sealed class State : OptimizerState, IDisposable
    {
        /// <summary>Steps taken.</summary>
        public long step;

        public Tensor exp_avg;
        public Tensor exp_avg_sq;

        /// <summary>The largest <see cref="exp_avg_sq"/> so far; null without AMSGrad.</summary>
        public Tensor max_exp_avg_sq;

        public State(Parameter parameter) : base(parameter) { }

        public override void Initialize(OptimizerOptions options)
        {
            Dispose();
            step = 0;
            exp_avg = Zeros();
            exp_avg_sq = Zeros();
            max_exp_avg_sq = ((Options)options).amsgrad == true ? Zeros() : null;
        }

        public override void LoadStateDict(OptimizerState source)
        {
            var other = OptimizerOptions.Same<State>(source);
            step = other.step;
            Load(ref exp_avg, other.exp_avg);
            Load(ref exp_avg_sq, other.exp_avg_sq);
            Load(ref max_exp_avg_sq, other.max_exp_avg_sq);
        }

        public override void to(Device device)
        {
            Move(ref exp_avg, device);
            Move(ref exp_avg_sq, device);
            Move(ref max_exp_avg_sq, device);
        }

        public override bool ApproximatelyEquals(OptimizerState other) => other is State same && step == same.step
            && Close(exp_avg, same.exp_avg) && Close(exp_avg_sq, same.exp_avg_sq) && Close(max_exp_avg_sq, same.max_exp_avg_sq);

        public void Dispose()
        {
            exp_avg?.Dispose();
            exp_avg_sq?.Dispose();
            max_exp_avg_sq?.Dispose();
        }
    }
}
