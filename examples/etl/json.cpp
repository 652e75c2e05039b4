// Boost.JSON as part of this program: its library is not linked.
#include <boost/json/src.hpp>
