namespace PostTrain.Tests.Support;

/// <summary>A fact about Linux; skipped with a reason on other systems.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LinuxFactAttribute : FactAttribute
{
    internal const string Reason = "This test is about Linux: its counts of memory in /proc, or files that change while they are mapped.";

    public LinuxFactAttribute()
    {
        if (!OperatingSystem.IsLinux())
            Skip = Reason;
    }
}
