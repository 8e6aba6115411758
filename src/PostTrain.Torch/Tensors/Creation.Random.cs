using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static Tensor randint(long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(0, high, size, dtype, device, requires_grad, generator, names);

    /// <summary>Whole numbers from <paramref name="low"/> to <paramref name="high"/> - 1, Int64 unless another type is asked for.</summary>
    public static Tensor randint(long low, long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        New(generator is null
            ? Ops.randint_low.Call(low, high, size, dtype ?? ScalarType.Int64, Argument.None, On(device))
            : Ops.randint_low_generator.Call(low, high, size, generator, dtype ?? ScalarType.Int64, Argument.None, On(device)), requires_grad, names);

    public static Tensor randint(int high, int[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(0, high, Array.ConvertAll(size, one => (long)one), dtype, device, requires_grad, generator, names);

    public static Tensor randint(int low, int high, int[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(low, high, Array.ConvertAll(size, one => (long)one), dtype, device, requires_grad, generator, names);

    public static Tensor randperm(long n, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null) =>
        New(generator is null
            ? Ops.randperm.Call(n, dtype ?? ScalarType.Int64, Argument.None, On(device))
            : Ops.randperm_generator.Call(n, generator, dtype ?? ScalarType.Int64, Argument.None, On(device)), requires_grad);

    public static Tensor normal(double mean, double std, ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        New(Ops.normal_.CallInPlace(empty(size.ToArray(), dtype, device), mean, std, generator), requires_grad, names);

    public static int randint_int(int high, Generator? generator = null) => (int)randint_long(0, high, generator);
    public static int randint_int(int low, int high, Generator? generator = null) => (int)randint_long(low, high, generator);
    public static long randint_long(long high, Generator? generator = null) => randint_long(0, high, generator);

    public static long randint_long(long low, long high, Generator? generator = null)
    {
        using var drawn = randint(low, high, Array.Empty<long>(), ScalarType.Int64, CPU, generator: generator);
        return drawn.ToInt64();
    }

    public static double rand_float(Generator? generator = null)
    {
        using var drawn = rand(Array.Empty<long>(), ScalarType.Float64, CPU, generator: generator);
        return drawn.ToDouble();
    }

    public static double randn_float(Generator? generator = null)
    {
        using var drawn = randn(Array.Empty<long>(), ScalarType.Float64, CPU, generator: generator);
        return drawn.ToDouble();
    }
}
