namespace TorchSharp;

/// <summary>Something that remembers which scope owns it and where in that scope it stands.</summary>
internal interface IScoped : IDisposable
{
    DisposeScope? Scope { get; set; }
    int Slot { get; set; }
}

/// <summary>Owns what is created while it is the thread's innermost scope, and disposes it at its own end.</summary>
public sealed partial class DisposeScope : IDisposable
{
    private readonly DisposeScopeManager manager;
    private readonly List<IDisposable> owned = [];

    internal DisposeScope(DisposeScopeManager manager, DisposeScope? outer)
    {
        this.manager = manager;
        Outer = outer;
    }

    /// <summary>The scope that was innermost when this one began.</summary>
    internal DisposeScope? Outer { get; set; }

    public int DisposablesCount => owned.Count;

    public IReadOnlyList<IDisposable> DisposablesView => owned.ToArray();

    public bool Contains(IDisposable disposable) =>
        disposable is IScoped scoped ? ReferenceEquals(scoped.Scope, this) : IndexOf(disposable) >= 0;

    /// <summary>Disposes everything that the scope still owns and leaves the thread's stack of scopes.</summary>
    public void Dispose()
    {
        DisposeEverything();
        manager.Remove(this);
    }

    public void DisposeEverything()
    {
        // From the end: disposing takes each out of the list without moving another.
        while (owned.Count > 0)
        {
            var last = owned[^1];
            last.Dispose();
            // A tensor tells its scope itself; anything else, and a tensor disposed before, is dropped here.
            if (owned.Count > 0 && ReferenceEquals(owned[^1], last)) Forget(last);
        }
    }

    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        var keep = new HashSet<IDisposable>(inKeep, ReferenceEqualityComparer.Instance);
        foreach (var item in owned.ToArray())
            if (!keep.Contains(item)) item.Dispose();
    }

    /// <summary>Told by an owned object that it was disposed on its own.</summary>
    public void MarkAsDisposed(IDisposable disposable)
    {
        if (!Contains(disposable)) return;
        Forget(disposable);
        manager.Counts.OnDisposedInScope(disposable);
    }

    internal void Add(IDisposable disposable)
    {
        if (disposable is IScoped scoped)
        {
            scoped.Scope = this;
            scoped.Slot = owned.Count;
        }
        owned.Add(disposable);
    }

    // The last entry takes the place of the one that leaves, so that leaving costs the same in a scope of any size.
    internal bool Forget(IDisposable disposable)
    {
        int slot = disposable is IScoped leaving ? (ReferenceEquals(leaving.Scope, this) ? leaving.Slot : -1) : IndexOf(disposable);
        if (slot < 0) return false;
        var last = owned[^1];
        owned[slot] = last;
        if (last is IScoped moved) moved.Slot = slot;
        owned.RemoveAt(owned.Count - 1);
        if (disposable is IScoped scoped) scoped.Scope = null;
        return true;
    }

    private int IndexOf(IDisposable disposable) => owned.FindIndex(item => ReferenceEquals(item, disposable));
}
