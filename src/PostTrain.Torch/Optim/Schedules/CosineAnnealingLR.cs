namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>η + (base - η)(1 + cos(π t / T_max)) / 2, η = eta_min: falls until T_max, then rises again. Loshchilov and Hutter, arXiv:1608.03983, without the restarts.</summary>
            public static LRScheduler CosineAnnealingLR(Optimizer optimizer, double T_max, double eta_min = 0, int last_epoch = -1, bool verbose = false) =>
                new impl.CosineAnnealingLR(optimizer, T_max, eta_min, last_epoch, verbose);

            public static partial class impl
            {
                /// <summary>η + (base - η)(1 + cos(π t / T_max)) / 2, η = eta_min: falls until T_max, then rises again. Loshchilov and Hutter, arXiv:1608.03983, without the restarts.</summary>
                public class CosineAnnealingLR : LRScheduler
                {
                    private readonly double period, floor;

                    public CosineAnnealingLR(Optimizer optimizer, double T_max, double eta_min = 0, int last_epoch = -1, bool verbose = false)
                        : base(optimizer, last_epoch, verbose)
                    {
                        if (!(T_max > 0)) throw new ArgumentOutOfRangeException(nameof(T_max), T_max, "expected a number of steps over 0");
                        (period, floor) = (T_max, eta_min);
                        step();
                    }

                    protected override IEnumerable<double> get_lr()
                    {
                        if (LastEpoch == 0) return Rates;
                        // At the bottom the ratio below is 0/0: the rise begins from the closed form of its first step.
                        if (Math.Abs(1 + Math.Cos(Math.PI * (LastEpoch - 1) / period)) < 1e-12)
                            return Groups.Select((group, i) => group.LearningRate + (BaseRates[i] - floor) * (1 - Math.Cos(Math.PI / period)) / 2);
                        double ratio = (1 + Math.Cos(Math.PI * LastEpoch / period)) / (1 + Math.Cos(Math.PI * (LastEpoch - 1) / period));
                        return Rates.Select(rate => ratio * (rate - floor) + floor);
                    }

                    protected override IEnumerable<double> get_closed_form_lr() => BaseRates.Select(rate => floor + (rate - floor) * (1 + Math.Cos(Math.PI * LastEpoch / period)) / 2);
                }
            }
        }
    }
}
