using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A source of random numbers with a state of its own.</summary>
    public class Generator : IDisposable
    {
        private nint handle;

        /// <param name="seed">Where the stream of numbers begins.</param>
        /// <param name="device">The CPU, which is the only device with generators of one's own here.</param>
        public Generator(ulong seed = 0, Device? device = null) : this(Native.pt_generator_new(seed), device ?? CPU)
        {
            if (this.device.type != DeviceType.CPU)
                throw new ArgumentException($"device: given {device}, expected cpu; other devices have their default generator only", nameof(device));
        }

        private Generator(nint handle, Device device)
        {
            if (handle == 0) throw Native.Error();
            this.handle = handle;
            this.device = device;
        }

        ~Generator() => Dispose(false);

        public static Generator Default => new(Native.pt_generator_default(0, -1), CPU);

        public nint Handle => handle != 0 ? handle : throw new InvalidOperationException("The generator has been disposed.");

        public Device device { get; }

        public Generator manual_seed(long seed)
        {
            Native.Check(Native.pt_generator_set_seed(Handle, (ulong)seed));
            return this;
        }

        public long initial_seed() => (long)Native.pt_generator_seed(Handle);

        /// <summary>Seeds from the operating system and returns that seed.</summary>
        public long seed() => (long)Native.pt_generator_reseed(Handle);

        /// <summary>The whole state, as bytes.</summary>
        public Tensor get_state()
        {
            var state = Native.pt_generator_state(Handle);
            return state == 0 ? throw Native.Error() : new Tensor(state);
        }

        public void set_state(Tensor value) => Native.Check(Native.pt_generator_set_state(Handle, value.Handle));

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            var owned = Interlocked.Exchange(ref handle, 0);
            if (owned != 0) Native.pt_generator_free(owned);
        }
    }

    /// <summary>Seeds the default generators of all devices.</summary>
    public static Generator manual_seed(long seed)
    {
        Native.Check(Native.pt_manual_seed((ulong)seed));
        return Generator.Default;
    }

    public static long initial_seed()
    {
        using var generator = Generator.Default;
        return generator.initial_seed();
    }

    public static long seed()
    {
        using var generator = Generator.Default;
        return generator.seed();
    }

    public static Tensor get_rng_state()
    {
        using var generator = Generator.Default;
        return generator.get_state();
    }

    public static void set_rng_state(Tensor new_state)
    {
        using var generator = Generator.Default;
        generator.set_state(new_state);
    }

    public static class random
    {
        public static Generator manual_seed(long seed) => torch.manual_seed(seed);
        public static long initial_seed() => torch.initial_seed();
        public static long seed() => torch.seed();
        public static Tensor get_rng_state() => torch.get_rng_state();
        public static void set_rng_state(Tensor new_state) => torch.set_rng_state(new_state);
    }
}
