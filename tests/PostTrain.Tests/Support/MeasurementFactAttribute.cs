namespace PostTrain.Tests.Support;

/// <summary>A measurement of minutes, skipped unless the environment variable POSTTRAIN_MEASURE is set.</summary>
internal sealed class MeasurementFactAttribute : FactAttribute
{
    public MeasurementFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_MEASURE") is null or "")
            Skip = "A measurement of some minutes; set POSTTRAIN_MEASURE to run it.";
    }
}
