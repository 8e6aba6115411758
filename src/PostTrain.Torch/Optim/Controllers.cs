namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        /// <summary>What a learning-rate schedule sets.</summary>
        public interface ILearningRateController
        {
            double LearningRate { get; set; }

            /// <summary>The learning rate before the schedule changed it.</summary>
            double InitialLearningRate { get; set; }
        }

        /// <summary>Has a momentum that a schedule can set.</summary>
        public interface IMomentum
        {
            double Momentum { get; set; }
        }

        /// <summary>Has the decay rates of two moving averages, which a schedule can set.</summary>
        public interface IBetas
        {
            (double, double) Betas { get; set; }
        }
    }
}
