using System.Runtime.CompilerServices;

namespace PostTrain.Operators;

/// <summary>One number in memory, float32 or float64, read and written as float64.</summary>
internal static unsafe class Scalars
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double Get<T>(T* from)
        where T : unmanaged => typeof(T) == typeof(float) ? *(float*)from : *(double*)from;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Set<T>(T* to, double value)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
            *(float*)to = (float)value;
        else
            *(double*)to = value;
    }
}
