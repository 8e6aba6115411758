namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>base times a factor that goes in a straight line from start_factor to end_factor in total_iters steps, and stays there.</summary>
            public static LRScheduler LinearLR(Optimizer optimizer, double start_factor = 1.0 / 3, double end_factor = 1.0, int total_iters = 5, int last_epoch = -1, bool verbose = false) =>
                new impl.LinearLR(optimizer, start_factor, end_factor, total_iters, last_epoch, verbose);

            public static partial class impl
            {
                /// <summary>base times a factor that goes in a straight line from start_factor to end_factor in total_iters steps, and stays there.</summary>
                public class LinearLR : LRScheduler
                {
                    private readonly double start, end;
                    private readonly int total;

                    public LinearLR(Optimizer optimizer, double start_factor = 1.0 / 3, double end_factor = 1.0, int total_iters = 5, int last_epoch = -1, bool verbose = false)
                        : base(optimizer, last_epoch, verbose)
                    {
                        if (start_factor is not (> 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(start_factor), start_factor, "expected a factor over 0, up to 1");
                        if (end_factor is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(end_factor), end_factor, "expected a factor from 0 to 1");
                        (start, end, total) = (start_factor, end_factor, total_iters);
                        step();
                    }

                    protected override IEnumerable<double> get_lr()
                    {
                        if (LastEpoch == 0) return Scaled(start);
                        if (LastEpoch > total) return Rates;
                        return Scaled(1 + (end - start) / (total * start + (LastEpoch - 1) * (end - start)));
                    }

                    protected override IEnumerable<double> get_closed_form_lr() => FromBase(start + (end - start) * Math.Min(total, LastEpoch) / total);
                }
            }
        }
    }
}
