namespace PostTrain.Tests.Support;

/// <summary>A fact that fills a small file system; skipped with a reason where none can be mounted.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TmpfsFactAttribute : FactAttribute
{
    public TmpfsFactAttribute()
    {
        try
        {
            using var trial = new SmallFileSystem(64 << 10);
        }
        catch (InvalidOperationException reason)
        {
            Skip = $"A full disk needs a small file system, and none could be mounted (that takes Linux and root): {reason.Message}";
        }
    }
}
