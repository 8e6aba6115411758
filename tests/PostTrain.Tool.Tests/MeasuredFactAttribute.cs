namespace PostTrain.Tool.Tests;

/// <summary>A test of minutes, skipped unless the environment variable POSTTRAIN_MEASURE is set.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MeasuredFactAttribute : FactAttribute
{
    public MeasuredFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_MEASURE") is null or "")
            Skip = "A test of some minutes; set POSTTRAIN_MEASURE to run it.";
    }
}
