namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>One schedule after another: the next begins, at its own t = 0, where t reaches a milestone.</summary>
            public static LRScheduler SequentialLR(Optimizer optimizer, IEnumerable<LRScheduler> schedulers, IEnumerable<int> milestones, int last_epoch = -1) =>
                new impl.SequentialLR(optimizer, schedulers, milestones, last_epoch);

            public static partial class impl
            {
                /// <summary>One schedule after another: the next begins, at its own t = 0, where t reaches a milestone.</summary>
                public class SequentialLR : LRScheduler
                {
                    private readonly LRScheduler[] schedulers;
                    private readonly int[] milestones;

                    public SequentialLR(Optimizer optimizer, IEnumerable<LRScheduler> schedulers, IEnumerable<int> milestones, int last_epoch = -1)
                        : base(optimizer, Math.Max(last_epoch, 0))
                    {
                        this.schedulers = [.. schedulers];
                        this.milestones = [.. milestones];
                        if (this.schedulers.Length != this.milestones.Length + 1)
                            throw new ArgumentException($"milestones: given {this.milestones.Length} for {this.schedulers.Length} schedulers, expected one fewer than schedulers", nameof(milestones));
                        // Each schedule took a first step when it was made: undo them all, and begin with the first schedule alone.
                        foreach (var group in Groups) group.LearningRate = group.InitialLearningRate;
                        foreach (var scheduler in this.schedulers) scheduler.LastEpoch--;
                        _step_count++;
                        this.schedulers[0].step();
                        Set(Rates);
                    }

                    public override void step(int? epoch)
                    {
                        if (epoch is not null) throw new NotSupportedException("A sequence of schedules goes on step by step only.");
                        _step_count++;
                        LastEpoch++;
                        int current = milestones.Count(milestone => milestone <= LastEpoch);
                        if (current > 0 && milestones[current - 1] == LastEpoch) schedulers[current].step(0);
                        else schedulers[current].step();
                        Set(Rates);
                    }

                    protected override IEnumerable<double> get_lr() => Rates;
                }
            }
        }
    }
}
