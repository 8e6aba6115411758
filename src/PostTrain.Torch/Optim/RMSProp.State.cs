using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules;

public partial class RMSProp
{
    /// <summary>The moving averages of one parameter's squared gradient and of its gradient, and its momentum.</summary>
    public sealed class State : OptimizerState, IDisposable
    {
        /// <summary>Steps taken.</summary>
        public long step;

        public Tensor square_avg;

        /// <summary>Null where the variance is not centred.</summary>
        public Tensor grad_avg;

        /// <summary>Null without momentum.</summary>
        public Tensor momentum_buffer;

        public State(Parameter parameter) : base(parameter) { }

        public override void Initialize(OptimizerOptions options)
        {
            var settings = (Options)options;
            Dispose();
            step = 0;
            square_avg = Zeros();
            grad_avg = settings.centered == true ? Zeros() : null;
            momentum_buffer = settings.momentum > 0 ? Zeros() : null;
        }

        public override void LoadStateDict(OptimizerState source)
        {
            var other = OptimizerOptions.Same<State>(source);
            step = other.step;
            Load(ref square_avg, other.square_avg);
            Load(ref grad_avg, other.grad_avg);
            Load(ref momentum_buffer, other.momentum_buffer);
        }

        public override void to(Device device)
        {
            Move(ref square_avg, device);
            Move(ref grad_avg, device);
            Move(ref momentum_buffer, device);
        }

        public override bool ApproximatelyEquals(OptimizerState other) => other is State same && step == same.step
            && Close(square_avg, same.square_avg) && Close(grad_avg, same.grad_avg) && Close(momentum_buffer, same.momentum_buffer);

        public void Dispose()
        {
            square_avg?.Dispose();
            grad_avg?.Dispose();
            momentum_buffer?.Dispose();
        }

        // A group may be given its momentum after the state was made.
        internal Tensor Momentum() => momentum_buffer ??= Zeros();
    }
}
