namespace PostTrain.Benchmarks.Runner;

/// <summary>Seconds of one call.</summary>
/// <param name="Median">Of the samples kept.</param>
/// <param name="InterquartileRange">Of the samples kept.</param>
/// <param name="Kept">How many samples were kept.</param>
/// <param name="Least">Of all samples.</param>
/// <param name="Processor">Processor time of all threads, median of the samples kept; hardly more on a busy machine than on a quiet
/// one.</param>
/// <param name="Gflops">Median speed of the calibration around the samples kept.</param>
/// <param name="Quiet">Whether the samples kept are those of a machine at its full speed; otherwise they are the quietest quarter.</param>
internal sealed record Timing(
    double Median,
    double InterquartileRange,
    int Kept,
    double Least,
    double Processor,
    double Gflops,
    bool Quiet
);
