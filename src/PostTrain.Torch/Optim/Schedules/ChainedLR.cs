namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>Several schedules on one optimiser, each changing the rates that the ones before have set.</summary>
            public static LRScheduler ChainedLR(IEnumerable<LRScheduler> schedulers) =>
                new impl.ChainedLR(schedulers);

            public static partial class impl
            {
                /// <summary>Several schedules on one optimiser, each changing the rates that the ones before have set.</summary>
                public class ChainedLR : LRScheduler
                {
                    private readonly LRScheduler[] schedulers;

                    public ChainedLR(IEnumerable<LRScheduler> schedulers) : base(OptimizerOf([.. schedulers]), 0)
                    {
                        this.schedulers = [.. schedulers];
                        Set(Rates);
                    }

                    public override void step()
                    {
                        _step_count++;
                        LastEpoch++;
                        foreach (var scheduler in schedulers) scheduler.step();
                        Set(Rates);
                    }

                    private static Optimizer OptimizerOf(LRScheduler[] schedulers)
                    {
                        if (schedulers.Length == 0) throw new ArgumentException("schedulers: given none, expected one or more", nameof(schedulers));
                        return schedulers.All(scheduler => ReferenceEquals(scheduler.Optimizer, schedulers[0].Optimizer))
                            ? schedulers[0].Optimizer
                            : throw new ArgumentException("schedulers: given several optimisers, expected one for all", nameof(schedulers));
                    }
                }
            }
        }
    }
}
