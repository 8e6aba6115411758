using System.Runtime.CompilerServices;

namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        public static partial class lr_scheduler
        {
            /// <summary>Sets an optimiser's learning rates from step to step: call <see cref="step()"/> after the optimiser's.</summary>
            /// <remarks>t counts the calls, from 0; the base rate is the one that the group had when the schedule was made.
            /// Most schedules go from one rate to the next, so that several can be chained on one optimiser.</remarks>
            public abstract class LRScheduler
            {
                private static readonly ConditionalWeakTable<Optimizer, object> scheduled = [];
                private readonly ILearningRateController[] groups = [];
                private double[] lastRates = [];

                /// <summary>How often step was called, the constructor's own call included.</summary>
                protected int _step_count;

                protected LRScheduler() => Optimizer = null!;

                /// <param name="last_epoch">t of the last step taken; -1 to begin.</param>
                /// <param name="verbose">Whether each step prints the rates.</param>
                protected LRScheduler(Optimizer optimizer, int last_epoch = -1, bool verbose = false)
                {
                    Optimizer = optimizer;
                    Verbose = verbose;
                    LastEpoch = last_epoch;
                    groups = [.. optimizer.ParamGroups];
                    // Schedules that share an optimiser share its base rates: a later one must not take an earlier one's first rate for the base.
                    if (last_epoch == -1 && scheduled.TryAdd(optimizer, optimizer))
                        foreach (var group in groups) group.InitialLearningRate = group.LearningRate;
                    BaseRates = [.. groups.Select(group => group.InitialLearningRate)];
                    lastRates = [.. groups.Select(group => group.LearningRate)];
                }

                internal Optimizer Optimizer { get; }
                internal bool Verbose { get; }

                /// <summary>t.</summary>
                internal int LastEpoch { get; set; }

                internal double[] BaseRates { get; set; } = [];

                internal IReadOnlyList<ILearningRateController> Groups => groups;

                internal double[] Rates => [.. groups.Select(group => group.LearningRate)];

                public virtual void step() => step(null);

                /// <summary>Goes one step on, or, given t, to that step by the closed form.</summary>
                public virtual void step(int? epoch)
                {
                    _step_count++;
                    LastEpoch = epoch ?? LastEpoch + 1;
                    Set([.. epoch is null ? get_lr() : get_closed_form_lr()]);
                }

                /// <param name="current">The figure that a schedule on a plateau watches; the others take no notice of it.</param>
                public virtual void step(double current, int? epoch = null) => step(epoch);

                /// <summary>The rates that the last step set, one a group.</summary>
                public IEnumerable<double> get_last_lr() => lastRates;

                /// <summary>The rates at t, from those in force.</summary>
                protected virtual IEnumerable<double> get_lr() => Rates;

                /// <summary>The rates at t, from the base rates.</summary>
                protected virtual IEnumerable<double> get_closed_form_lr() => get_lr();

                internal void Set(double[] rates)
                {
                    for (int i = 0; i < groups.Length; i++) groups[i].LearningRate = rates[i];
                    lastRates = rates;
                    if (!Verbose) return;
                    for (int i = 0; i < rates.Length; i++)
                        Console.WriteLine(FormattableString.Invariant($"Adjusting learning rate of group {i} to {rates[i]:E4}"));
                }

                // The rates in force, each times a factor.
                private protected IEnumerable<double> Scaled(double factor) => Rates.Select(rate => rate * factor);

                // The base rates, each times a factor.
                private protected IEnumerable<double> FromBase(double factor) => BaseRates.Select(rate => rate * factor);
            }
        }
    }
}
