using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A tensor of libtorch. Owns one native reference, given back by <see cref="Dispose()"/>, by the scope that owns the tensor, or by the finaliser.</summary>
    public partial class Tensor : IScoped
    {
        private static long liveCount;
        private static long peakCount;
        private nint handle;

        // Takes over the reference that the caller holds.
        internal Tensor(nint handle)
        {
            if (handle == 0) throw new InvalidOperationException("The operator returned an undefined tensor.");
            this.handle = handle;
            long live = Interlocked.Increment(ref liveCount);
            if (live > Interlocked.Read(ref peakCount)) Interlocked.Exchange(ref peakCount, live);
            DisposeScopeManager.Current.Register(this);
        }

        ~Tensor() => Dispose(false);

        DisposeScope? IScoped.Scope { get; set; }
        int IScoped.Slot { get; set; }

        /// <summary>Tensors alive in the process.</summary>
        public static long TotalCount => Interlocked.Read(ref liveCount);

        /// <summary>The most tensors that were alive at once.</summary>
        public static long PeakCount => Interlocked.Read(ref peakCount);

        public nint Handle => handle != 0 ? handle : throw new InvalidOperationException("The tensor has been disposed.");

        public bool IsInvalid => handle == 0;

        /// <summary>Wraps a native reference, which the result then owns.</summary>
        public static Tensor UnsafeCreateTensor(nint handle) => new(handle);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            var owned = Interlocked.Exchange(ref handle, 0);
            if (owned == 0) return;
            Interlocked.Decrement(ref liveCount);
            if (disposing)
            {
                if (((IScoped)this).Scope is { } scope) scope.MarkAsDisposed(this);
                else DisposeScopeManager.Current.Counts.OnDisposedOutsideScope(this);
            }
            Native.pt_tensor_free(owned);
        }

        public Tensor MoveToOuterDisposeScope()
        {
            ((IScoped)this).Scope?.MoveToOuter(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (((IScoped)this).Scope is { } scope) scope.MoveToOther(other, this);
            else other?.Attach((IDisposable)this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(((IScoped)other).Scope);

        public Tensor DetachFromDisposeScope()
        {
            ((IScoped)this).Scope?.Detach(this);
            return this;
        }

        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);

        /// <summary>Same shape and same elements.</summary>
        public bool Equals(Tensor target) => ReferenceEquals(this, target) || Ops.equal.CallValue(this, target).Integer != 0;

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
