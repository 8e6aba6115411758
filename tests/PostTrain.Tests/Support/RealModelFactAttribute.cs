namespace PostTrain.Tests.Support;

/// <summary>A fact about the real pretrained models; skipped with a reason where they are not at hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealModelFactAttribute : FactAttribute
{
    public RealModelFactAttribute()
    {
        if (RealModels.Directory is null)
            Skip =
                "The real models are not here: set POSTTRAIN_MODELS to their directory (default: ../shared/models beside the repository).";
    }
}
