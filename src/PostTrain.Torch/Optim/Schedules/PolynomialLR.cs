namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>base · (1 - t / total_iters)^power, and 0 after total_iters.</summary>
            public static LRScheduler PolynomialLR(Optimizer optimizer, int total_iters = 5, double power = 1, int last_epoch = -1, bool verbose = false) =>
                new impl.PolynomialLR(optimizer, total_iters, power, last_epoch, verbose);

            public static partial class impl
            {
                /// <summary>base · (1 - t / total_iters)^power, and 0 after total_iters.</summary>
                public class PolynomialLR : LRScheduler
                {
                    private readonly int total;
                    private readonly double power;

                    public PolynomialLR(Optimizer optimizer, int total_iters = 5, double power = 1, int last_epoch = -1, bool verbose = false)
                        : base(optimizer, last_epoch, verbose)
                    {
                        ArgumentOutOfRangeException.ThrowIfLessThan(total_iters, 1);
                        total = total_iters;
                        this.power = power;
                        step();
                    }

                    protected override IEnumerable<double> get_lr() => LastEpoch == 0 || LastEpoch > total ? Rates
                        : Scaled(Math.Pow((1.0 - (double)LastEpoch / total) / (1.0 - (double)(LastEpoch - 1) / total), power));

                    protected override IEnumerable<double> get_closed_form_lr() => FromBase(Math.Pow(1.0 - (double)Math.Min(total, LastEpoch) / total, power));
                }
            }
        }
    }
}
