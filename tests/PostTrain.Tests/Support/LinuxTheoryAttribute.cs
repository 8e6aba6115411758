namespace PostTrain.Tests.Support;

/// <summary>A theory about Linux; skipped with a reason on other systems.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LinuxTheoryAttribute : TheoryAttribute
{
    public LinuxTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux())
            Skip = LinuxFactAttribute.Reason;
    }
}
