using PostTrain.RewardModeling.Losses;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>Verdicts of a process reward model on some records of PRMBench.</summary>
/// <param name="Steps">Counts of right and wrong steps by verdict.</param>
/// <param name="FirstErrors">Solutions with a wrong step.</param>
/// <param name="FirstErrorsFound">Those of them whose first wrong step was judged wrong.</param>
/// <param name="Likeness">Mean over the solutions of |share of their steps judged right − that of the solution that they were made from|, 0
/// to 1; NaN where no such solution is known. Near 0 for a model that does not tell the two apart.</param>
public sealed record PrmBenchScore(StepConfusion Steps, long FirstErrors, long FirstErrorsFound, double Likeness)
{
    /// <summary>PRMScore, ½·F1 of wrong steps + ½·F1 of right steps; NaN where no step is wrong and none was judged wrong.</summary>
    public double PrmScore => Steps.PrmScore();

    /// <summary>Share of the right steps that were judged right: the measure of <see cref="PrmBenchCategory.MultipleSolutions"/>.</summary>
    public double RightStepAccuracy => Steps.Recall;

    /// <summary>Share of the solutions with a wrong step whose first one was found.</summary>
    public double FirstErrorAccuracy => FirstErrors == 0 ? double.NaN : FirstErrorsFound / (double)FirstErrors;
}
