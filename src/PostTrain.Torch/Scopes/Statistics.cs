namespace TorchSharp;

/// <summary>How many objects of one kind a thread created, moved and disposed.</summary>
public class LifetimeStatistics
{
    public long CreatedOutsideScopeCount { get; internal set; }
    public long DisposedOutsideScopeCount { get; internal set; }
    public long CreatedInScopeCount { get; internal set; }
    public long DisposedInScopeCount { get; internal set; }
    public long AttachedToScopeCount { get; internal set; }
    public long DetachedFromScopeCount { get; internal set; }

    public long ThreadTotalLiveCount => CreatedInScopeCount + CreatedOutsideScopeCount - DisposedInScopeCount - DisposedOutsideScopeCount;

    public void Reset()
    {
        CreatedOutsideScopeCount = DisposedOutsideScopeCount = CreatedInScopeCount = DisposedInScopeCount = 0;
        AttachedToScopeCount = DetachedFromScopeCount = 0;
    }

    public override string ToString() =>
        $"ThreadTotalLiveCount: {ThreadTotalLiveCount}; CreatedOutsideScopeCount: {CreatedOutsideScopeCount}; " +
        $"DisposedOutsideScopeCount: {DisposedOutsideScopeCount}; CreatedInScopeCount: {CreatedInScopeCount}; " +
        $"DisposedInScopeCount: {DisposedInScopeCount}; AttachedToScopeCount: {AttachedToScopeCount}; DetachedFromScopeCount: {DetachedFromScopeCount}";
}

/// <summary>A thread's lifetime statistics.</summary>
public class ThreadDisposeScopeStatistics
{
    public LifetimeStatistics TensorStatistics { get; } = new();

    public long CreatedOutsideScopeCount => TensorStatistics.CreatedOutsideScopeCount;
    public long DisposedOutsideScopeCount => TensorStatistics.DisposedOutsideScopeCount;
    public long CreatedInScopeCount => TensorStatistics.CreatedInScopeCount;
    public long DisposedInScopeCount => TensorStatistics.DisposedInScopeCount;
    public long AttachedToScopeCount => TensorStatistics.AttachedToScopeCount;
    public long DetachedFromScopeCount => TensorStatistics.DetachedFromScopeCount;
    public long ThreadTotalLiveCount => TensorStatistics.ThreadTotalLiveCount;

    public void Reset() => TensorStatistics.Reset();

    public override string ToString() => TensorStatistics.ToString();

    internal void OnCreated(IDisposable item, bool inScope)
    {
        if (item is not torch.Tensor) return;
        if (inScope) TensorStatistics.CreatedInScopeCount++;
        else TensorStatistics.CreatedOutsideScopeCount++;
    }

    internal void OnDisposedInScope(IDisposable item)
    {
        if (item is torch.Tensor) TensorStatistics.DisposedInScopeCount++;
    }

    internal void OnDisposedOutsideScope(IDisposable item)
    {
        if (item is torch.Tensor) TensorStatistics.DisposedOutsideScopeCount++;
    }

    internal void OnDetached(IDisposable item)
    {
        if (item is torch.Tensor) TensorStatistics.DetachedFromScopeCount++;
    }

    internal void OnAttached(IDisposable item)
    {
        if (item is torch.Tensor) TensorStatistics.AttachedToScopeCount++;
    }
}
